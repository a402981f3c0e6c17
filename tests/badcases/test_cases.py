"""Each bad case: the cluster says its cause in upstream's words, and `p8s why` names it with a next step."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.badcases.cases import CASES, Case
from tests.live import LiveCluster

from pybernetes.cli.main import main

pytestmark = pytest.mark.live

PATIENCE = 60.0


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_is_explained(
    badcases: LiveCluster, case: Case, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_explained(badcases, case, capsys, monkeypatch)


def assert_explained(
    cluster: LiveCluster, case: Case, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ask until the answer has all that it has to have."""
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    deadline = time.monotonic() + PATIENCE
    while True:
        finding = ask(cluster, case, capsys)
        missing = unsaid(case, finding)
        if not missing:
            return
        assert time.monotonic() < deadline, f"{missing} in\n{json.dumps(finding, indent=2)}"
        time.sleep(0.2)


def ask(cluster: LiveCluster, case: Case, capsys: pytest.CaptureFixture[str]) -> Any:
    """The command in this process, which has loaded it already."""
    assert main(["why", case.ask, "-n", case.name, "--profile", cluster.name, "-o", "json"]) == 0
    return json.loads(capsys.readouterr().out)[0]


def unsaid(case: Case, finding: Any) -> list[str]:
    """What the answer lacks of what it has to say."""
    causes = list(walk(finding["causes"]))
    said = {
        case.what: [cause["cause"] for cause in causes],
        case.seen: [words for cause in causes for words in cause["seen"]],
        case.next: finding["next"],
    }
    return [pattern for pattern, texts in said.items() if pattern and not any(re.search(pattern, t) for t in texts)]


def walk(causes: list[Any]) -> Iterator[Any]:
    for cause in causes:
        yield cause
        yield from walk(cause["because"])
