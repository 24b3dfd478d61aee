"""A collector that counts, by id, every item it takes: gRPC on one port, HTTP/1.1 on another."""

import gzip
import threading
from collections import Counter
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc


def span_ids(request):
    """A span's id is its name."""
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            yield from (span.name for span in scope.spans)


def record_ids(request):
    """A log record's id is its body."""
    for resource in request.resource_logs:
        for scope in resource.scope_logs:
            yield from (record.body.string_value for record in scope.log_records)


def point_ids(request):
    """A data point's id is its attribute "id"; points without one are the SDK's own."""
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.sum.data_points:
                    for attribute in point.attributes:
                        if attribute.key == "id":
                            yield attribute.value.string_value


SIGNALS = {
    "traces": (
        trace_service_pb2.ExportTraceServiceRequest,
        trace_service_pb2.ExportTraceServiceResponse,
        span_ids,
    ),
    "metrics": (
        metrics_service_pb2.ExportMetricsServiceRequest,
        metrics_service_pb2.ExportMetricsServiceResponse,
        point_ids,
    ),
    "logs": (
        logs_service_pb2.ExportLogsServiceRequest,
        logs_service_pb2.ExportLogsServiceResponse,
        record_ids,
    ),
}


class Collector:
    """Runs until it is closed; every count is of items that were answered with OK."""

    def __init__(self):
        self._lock = threading.Lock()
        self._counts = {signal: Counter() for signal in SIGNALS}
        self._grpc = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
        for signal, add in (
            ("traces", trace_service_pb2_grpc.add_TraceServiceServicer_to_server),
            ("metrics", metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server),
            ("logs", logs_service_pb2_grpc.add_LogsServiceServicer_to_server),
        ):
            add(self._servicer(signal), self._grpc)
        self.grpc_port = self._grpc.add_insecure_port("127.0.0.1:0")
        self._grpc.start()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self.http_port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def take(self, signal, request):
        """Counts the items of a decoded request and gives the answer."""
        _, response, ids = SIGNALS[signal]
        with self._lock:
            self._counts[signal].update(ids(request))
        return response()

    def counts(self, signal, run):
        """How often each id of a run was taken."""
        with self._lock:
            counts = self._counts[signal].items()
            return {key: count for key, count in counts if key.startswith(f"{run}-")}

    def close(self):
        """Ends both servers."""
        self._grpc.stop(grace=None).wait()
        self._http.shutdown()
        self._http.server_close()

    def _servicer(self, signal):
        class Servicer:
            """One signal's gRPC method."""

            def Export(_, request, context):  # noqa: N802, N805 - gRPC's name; self is the outer one
                return self.take(signal, request)

        return Servicer()

    def _handler(self):
        collector = self

        class Handler(BaseHTTPRequestHandler):
            """OTLP/HTTP with protobuf bodies."""

            protocol_version = "HTTP/1.1"

            def do_POST(self):  # noqa: N802 - http.server's name
                length = self.headers["Content-Length"]
                body = self.rfile.read(int(length)) if length else b"".join(self._chunks())
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                signal = self.path.removeprefix("/v1/")
                answer = collector.take(signal, SIGNALS[signal][0].FromString(body))
                payload = answer.SerializeToString()
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def _chunks(self):
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    yield self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()

            def log_message(self, *_):
                """Stays silent: the counts are the record."""

        return Handler
