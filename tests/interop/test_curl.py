"""curl as a sender: a recorded body, sent in every way that HTTP allows."""

import subprocess

import pytest
from collector import SIGNALS
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

ITEMS = 200
WAYS = {
    "http-1.1": ["--http1.1"],
    "http-2": ["--http2-prior-knowledge"],
    "http-2-by-upgrade": ["--http2"],
    "chunked": ["--http1.1", "--header", "Transfer-Encoding: chunked"],
    "expect-100": ["--http1.1", "--header", "Expect: 100-continue", "--expect100-timeout", "30"],
}


def curl(url, body, way):
    """Posts a body: the status and the answer's bytes."""
    command = ["curl", "--silent", "--show-error", "--max-time", "60", *WAYS[way]]
    command += ["--header", "Content-Type: application/x-protobuf", "--data-binary", f"@{body}"]
    command += ["--output", "-", "--write-out", "%{stderr}%{http_code}", url]
    done = subprocess.run(command, capture_output=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return int(done.stderr), done.stdout


@pytest.fixture
def body(tmp_path, run):
    """A traces request in a file."""
    spans = [
        trace_pb2.Span(
            name=f"{run}-{number}",
            trace_id=number.to_bytes(15, "big") + b"\1",
            span_id=number.to_bytes(7, "big") + b"\1",
        )
        for number in range(ITEMS)
    ]
    scope = trace_pb2.ScopeSpans(spans=spans)
    resource = trace_pb2.ResourceSpans(scope_spans=[scope])
    request = trace_service_pb2.ExportTraceServiceRequest(resource_spans=[resource])
    path = tmp_path / "request.binpb"
    path.write_bytes(request.SerializeToString())
    return path


@pytest.mark.parametrize("way", WAYS)
def test_a_body_that_curl_sends_arrives_once(forwarder, assert_arrived_once, body, way):
    status, answer = curl(f"{forwarder.url('http')}/v1/traces", body, way)
    assert status == 200
    assert SIGNALS["traces"][1].FromString(answer).HasField("partial_success") is False
    assert_arrived_once("traces", ITEMS)
