"""What an operator's tools make of the admin port."""

import json
import subprocess
import urllib.request


def page(forwarder, path):
    """The text of a page of the admin port."""
    with urllib.request.urlopen(f"{forwarder.url('admin')}{path}", timeout=10) as answer:
        return answer.read().decode()


def test_promtool_finds_nothing_wrong_with_the_metrics(forwarder):
    command = ["promtool", "check", "metrics"]
    check = subprocess.run(
        command, input=page(forwarder, "/metrics"), capture_output=True, text=True, check=False
    )
    assert (check.returncode, check.stdout, check.stderr) == (0, "", "")


def test_the_status_is_json_and_the_forwarder_is_well(forwarder):
    assert isinstance(json.loads(page(forwarder, "/api/status")), dict)
    assert page(forwarder, "/health")
    assert page(forwarder, "/ready")
