"""Recorded requests of a 1.36 server (groups `patch` and `apply` of the golden corpus), replayed without a server."""

import json
from collections import defaultdict
from pathlib import Path

import pytest
from tests.api.patch.server import Server, essence

OURS = (
    "Apply failed with",
    "failed to create typed",
    "invalid object type",
    "metadata.managedFields must be nil",
    "map: map[",
    "The order in patch list",
    "the server rejected our request due to",
)
"""How the errors begin that patching itself gives; others are the matter of validation and of the handlers."""


def load():
    scenarios = defaultdict(list)
    for line in (Path(__file__).parent / "scenarios.jsonl").read_text().splitlines():
        record = json.loads(line)
        scenarios[f"{record['g']}/{record['s']}"].append(record)
    return scenarios


SCENARIOS = load()


def is_ours(record):
    """Whether the step needs nothing but patching: it succeeds, or fails with an error of a patch."""
    request, answer = record["req"], record["res"]
    if isinstance(body := request.get("b"), str) and not body.startswith("{"):
        return False  # YAML is read by the handlers
    return answer["status"] < 400 or answer["body"].get("message", "").startswith(OURS)


@pytest.mark.parametrize("name", SCENARIOS)
def test_recorded_answers(name):
    server, replayed = Server(), 0
    for index, record in enumerate(SCENARIOS[name]):
        if not is_ours(record):
            continue
        request, answer = record["req"], record["res"]
        status, body = server.handle(
            request["m"], request["p"].replace("${ns}", "ns"), request.get("ct"), request.get("b"), answer["body"]
        )
        assert (index, status) == (index, answer["status"]), body
        assert essence(body) == essence(answer["body"]), f"step {index}: {request['p']}"
        replayed += 1
    assert replayed
