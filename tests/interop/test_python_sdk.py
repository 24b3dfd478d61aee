"""The Python SDK's exporters as senders: every item arrives once."""

import pytest
from opentelemetry.exporter.otlp.proto.grpc import _log_exporter as logs_grpc
from opentelemetry.exporter.otlp.proto.grpc import metric_exporter as metrics_grpc
from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as traces_grpc
from opentelemetry.exporter.otlp.proto.http import Compression as HttpCompression
from opentelemetry.exporter.otlp.proto.http import _log_exporter as logs_http
from opentelemetry.exporter.otlp.proto.http import metric_exporter as metrics_http
from opentelemetry.exporter.otlp.proto.http import trace_exporter as traces_http
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from grpc import Compression as GrpcCompression

ITEMS = 1_500
EXPORTERS = {
    ("traces", "grpc"): traces_grpc.OTLPSpanExporter,
    ("traces", "http"): traces_http.OTLPSpanExporter,
    ("metrics", "grpc"): metrics_grpc.OTLPMetricExporter,
    ("metrics", "http"): metrics_http.OTLPMetricExporter,
    ("logs", "grpc"): logs_grpc.OTLPLogExporter,
    ("logs", "http"): logs_http.OTLPLogExporter,
}


def exporter(signal, transport, url, compressed):
    """An exporter of the SDK that sends to `url`."""
    make = EXPORTERS[signal, transport]
    if transport == "grpc":
        compression = GrpcCompression.Gzip if compressed else GrpcCompression.NoCompression
        return make(endpoint=url, insecure=True, compression=compression)
    compression = HttpCompression.Gzip if compressed else HttpCompression.NoCompression
    return make(endpoint=f"{url}/v1/{signal}", compression=compression)


def send(signal, through, run):
    """Sends `ITEMS` items and flushes; the SDK says whether the flush succeeded."""
    if signal == "traces":
        provider = TracerProvider()
        provider.add_span_processor(BatchSpanProcessor(through))
        tracer = provider.get_tracer("interop")
        for number in range(ITEMS):
            tracer.start_span(f"{run}-{number}").end()
    elif signal == "metrics":
        # Only the flush at the end exports, so each data point is sent once.
        reader = PeriodicExportingMetricReader(through, export_interval_millis=3_600_000)
        provider = MeterProvider(metric_readers=[reader])
        counter = provider.get_meter("interop").create_counter("items")
        for number in range(ITEMS):
            counter.add(1, {"id": f"{run}-{number}"})
    else:
        provider = LoggerProvider()
        provider.add_log_record_processor(BatchLogRecordProcessor(through))
        logger = provider.get_logger("interop")
        for number in range(ITEMS):
            logger.emit(body=f"{run}-{number}")
    provider.shutdown()


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("transport", ["grpc", "http"])
@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
def test_every_item_of_the_python_sdk_arrives_once(
    forwarder, assert_arrived_once, run, signal, transport, compressed
):
    send(signal, exporter(signal, transport, forwarder.url(transport), compressed), run)
    assert_arrived_once(signal, ITEMS)
