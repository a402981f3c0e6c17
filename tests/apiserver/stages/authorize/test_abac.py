"""ABAC: a policy file in place of roles, as upstream reads it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.apiserver.inprocess import Server, metrics, server

from pybernetes.apiserver.configuration import ConfigurationError
from pybernetes.apiserver.stages.authorize.abac import VERSION, load
from pybernetes.apiserver.stages.authorize.attributes import Attributes
from pybernetes.apiserver.user import UserInfo

MAPS = "/api/v1/namespaces/default/configmaps"


def line(**spec: Any) -> str:
    return json.dumps({"apiVersion": VERSION, "kind": "Policy", "spec": spec})


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Server]:
    policy = tmp_path / "policy.jsonl"
    lines = (
        "# who may what",
        "",
        line(user="bob", namespace="default", resource="configmaps", readonly=True),
        line(group="system:authenticated", nonResourcePath="/flagz"),
        line(user="system:apiserver", namespace="*", resource="*", apiGroup="*"),
    )
    policy.write_text("\n".join(lines))
    async with server(tmp_path, "--authorization-mode=ABAC", f"--authorization-policy-file={policy}") as made:
        yield made


async def test_requests_go_by_the_file(api: Server) -> None:
    assert (await api.get(MAPS, token="bob")).status == 200
    refused = await api.post(MAPS, {"metadata": {"name": "c"}}, token="bob")
    assert refused.status == 403
    assert refused.message == (
        'configmaps is forbidden: User "bob" cannot create resource "configmaps" in API group "" in the namespace '
        '"default": No policy matched.'
    )
    assert (await api.get("/api/v1/namespaces/default/secrets", token="bob")).status == 403
    assert (await api.get("/api/v1/namespaces/kube-system/configmaps", token="bob")).status == 403
    assert (await api.raw("GET", "/flagz", token="bob")).status == 200
    assert (await api.raw("GET", "/flagz", token="")).status == 403
    assert (await api.post(MAPS, {"metadata": {"name": "c"}})).status == 201  # system:masters need no line
    counted = 'apiserver_authorization_decisions_total{type="ABAC",name="abac",decision="allowed"} 2'
    assert counted in await metrics(api)


@pytest.mark.parametrize(
    ("text", "user", "allowed"),
    [
        ("{}", "joe", True), ('{"user": "joe"}', "joe", True), ('{"user": "joe"}', "jim", False),
        ('{"user": "*"}', "joe", True), ('{"group": "devs"}', "joe", True), ('{"group": "ops"}', "joe", False),
        ('{"readonly": true}', "joe", False), ('{"resource": "pods"}', "joe", True), ('{"namespace": "other"}', "joe", False),
        (line(user="joe"), "joe", False), (line(user="*", namespace="*", resource="*", apiGroup="*"), "joe", True),
        (line(namespace="*", resource="*", apiGroup="*"), "joe", False),
        (line(user="joe", group="ops", namespace="*", resource="*", apiGroup="*"), "joe", False),
        (line(user="joe", namespace="*", resource="pods", apiGroup="apps"), "joe", False),
    ],
)  # fmt: skip
def test_lines_of_both_formats(tmp_path: Path, text: str, user: str, allowed: bool) -> None:
    """Without a version, what is empty matches all; with one, it matches nothing."""
    file = tmp_path / "policy"
    file.write_text(text)
    asked = Attributes(
        UserInfo(user, groups=("devs", "system:authenticated")), "create", "", "v1", "pods", "", "default"
    )
    assert load(str(file)).authorize(asked).allowed is allowed


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--authorization-mode=ABAC",), "authorization-mode ABAC's authorization policy file not passed"),
        (("--authorization-mode=RBAC", "--authorization-policy-file=/x"), "cannot specify --authorization-policy-file without mode ABAC"),
        (("--authorization-mode=ABAC", "--authorization-policy-file=/none"), "open /none: no such file or directory"),
    ],
)  # fmt: skip
async def test_flags_are_checked_as_upstream_does(tmp_path: Path, flags: tuple[str, ...], words: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        async with server(tmp_path, *flags):
            pass
    assert str(refused.value) == words


def test_a_line_that_is_none_is_named(tmp_path: Path) -> None:
    file = tmp_path / "policy"
    file.write_text(f"# all\n{line(user='joe')}\n{{\n")
    with pytest.raises(ConfigurationError, match=f"error reading policy file {file}, line 3: {{"):
        load(str(file))


@pytest.mark.parametrize(("mode", "status"), [("AlwaysAllow", 200), ("AlwaysDeny", 403)])
async def test_modes_that_ask_nobody(tmp_path: Path, mode: str, status: int) -> None:
    async with server(tmp_path, f"--authorization-mode={mode}") as made:
        answer = await made.get(MAPS, token="bob")
        assert answer.status == status
        if status == 403:
            assert answer.message.endswith('in the namespace "default": Everything is forbidden.')
