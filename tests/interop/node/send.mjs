// Sends items through one exporter of the Node SDK: node send.mjs SIGNAL TRANSPORT ENDPOINT COUNT RUN
// Item number N carries the id "RUN-N": a span's name, a log's body, a data point's attribute "id".
// Exits with 0 when the SDK flushed without an error.

import { diag, DiagLogLevel } from "@opentelemetry/api";
import { OTLPLogExporter as LogsGrpc } from "@opentelemetry/exporter-logs-otlp-grpc";
import { OTLPLogExporter as LogsHttp } from "@opentelemetry/exporter-logs-otlp-proto";
import { OTLPMetricExporter as MetricsGrpc } from "@opentelemetry/exporter-metrics-otlp-grpc";
import { OTLPMetricExporter as MetricsHttp } from "@opentelemetry/exporter-metrics-otlp-proto";
import { OTLPTraceExporter as TracesGrpc } from "@opentelemetry/exporter-trace-otlp-grpc";
import { OTLPTraceExporter as TracesHttp } from "@opentelemetry/exporter-trace-otlp-proto";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";

const [signal, transport, endpoint, count, run] = process.argv.slice(2);

// The SDK tells export errors to its diagnostics; here they end the run.
const complain = (...words) => {
  console.error(...words);
  process.exitCode = 1;
};
const quiet = () => {};
diag.setLogger(
  { error: complain, warn: complain, info: quiet, debug: quiet, verbose: quiet },
  DiagLogLevel.WARN,
);

const exporterOf = (OverGrpc, OverHttp) =>
  transport === "grpc"
    ? new OverGrpc({ url: endpoint })
    : new OverHttp({ url: `${endpoint}/v1/${signal}` });

const senders = {
  traces() {
    const exporter = exporterOf(TracesGrpc, TracesHttp);
    const provider = new TracerProvider({ spanProcessors: [new BatchSpanProcessor({ exporter })] });
    const tracer = provider.getTracer("interop");
    return [provider, (id) => tracer.startSpan(id).end()];
  },
  metrics() {
    const exporter = exporterOf(MetricsGrpc, MetricsHttp);
    // Only the flush at the end exports, so each data point is sent once.
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
    const provider = new MeterProvider({ readers: [reader] });
    const counter = provider.getMeter("interop").createCounter("items");
    return [provider, (id) => counter.add(1, { id })];
  },
  logs() {
    const exporter = exporterOf(LogsGrpc, LogsHttp);
    const processors = [new BatchLogRecordProcessor({ exporter })];
    const provider = new LoggerProvider({ processors });
    const logger = provider.getLogger("interop");
    return [provider, (id) => logger.emit({ body: id })];
  },
};

const [provider, emit] = senders[signal]();
for (let number = 0; number < Number(count); number += 1) {
  emit(`${run}-${number}`);
}
await provider.shutdown();
