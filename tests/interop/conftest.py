"""Starts the forwarder's binary and a collector behind it."""

import json
import os
import subprocess
import threading
import uuid
from pathlib import Path

import pytest
from collector import Collector

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60


class Forwarder:
    """A running binary: its ports, by listener, and its log."""

    def __init__(self, endpoint, protocol):
        binary = os.environ.get("OTLP_BINARY", ROOT / "target" / "debug" / "otlp")
        free_port = "127.0.0.1:0"
        environment = {
            "OTLP_LISTEN_GRPC": free_port,
            "OTLP_LISTEN_HTTP": free_port,
            "OTLP_LISTEN_ADMIN": free_port,
            "OTLP_ENDPOINT": endpoint,
            "OTLP_PROTOCOL": protocol,
            "OTLP_WORKER_THREADS": "1",
            "OTLP_LOGGING_FORMAT": "json",
        }
        self.ports, self.log = {}, []
        self._ready = threading.Event()
        self.process = subprocess.Popen(
            [binary],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._read_log, daemon=True).start()
        if not self._ready.wait(PATIENCE_SECONDS) or not self.ports:
            self.process.kill()
            pytest.fail("the forwarder did not start:\n" + "".join(self.log))

    def _read_log(self):
        for line in self.process.stdout:
            self.log.append(line)
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if entry.get("message") == "listening":
                self.ports[entry["listener"]] = int(entry["address"].rsplit(":", 1)[1])
            elif entry.get("message") == "ready":
                self._ready.set()
        # The log is over: whoever waits need not wait any longer.
        self._ready.set()

    def url(self, transport):
        """The base URL that senders of a transport use."""
        return f"http://127.0.0.1:{self.ports[transport]}"

    def close(self):
        """Drains it; it must end well."""
        self.process.terminate()
        try:
            assert self.process.wait(PATIENCE_SECONDS) == 0, "".join(self.log)
        finally:
            self.process.kill()


@pytest.fixture(scope="session")
def collector():
    """The collector behind every forwarder."""
    running = Collector()
    yield running
    running.close()


@pytest.fixture(scope="session", params=["grpc", "http/protobuf"], ids=["to-grpc", "to-http"])
def forwarder(request, collector):
    """A forwarder for each protocol towards the collector."""
    port = collector.grpc_port if request.param == "grpc" else collector.http_port
    running = Forwarder(f"http://127.0.0.1:{port}", request.param)
    yield running
    running.close()


@pytest.fixture
def run():
    """A name that begins the ids of one test's items."""
    return uuid.uuid4().hex


@pytest.fixture
def assert_arrived_once(collector, run):
    """Checks that the ids 0 to `count` of this test's run were taken once each."""

    def check(signal, count):
        assert collector.counts(signal, run) == {f"{run}-{number}": 1 for number in range(count)}

    return check
