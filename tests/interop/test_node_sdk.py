"""The Node SDK's exporters as senders: every item arrives once."""

import subprocess
from pathlib import Path

import pytest

ITEMS = 1_500
SCRIPT = Path(__file__).parent / "node" / "send.mjs"


@pytest.mark.parametrize("transport", ["grpc", "http"])
@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
def test_every_item_of_the_node_sdk_arrives_once(
    forwarder, assert_arrived_once, run, signal, transport
):
    command = ["node", SCRIPT, signal, transport, forwarder.url(transport), str(ITEMS), run]
    sent = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert sent.returncode == 0, sent.stdout + sent.stderr
    assert_arrived_once(signal, ITEMS)
