"""What is written of requests: by policy, in stages, to a file, to standard output, to a webhook."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.apiserver.inprocess import Server, server

from pybernetes.aio.tasks import open_scope
from pybernetes.api.protobuf import encode_object
from pybernetes.apiserver.configuration import ConfigurationError
from pybernetes.apiserver.http.message import Answer, Request, Response, StreamResponse
from pybernetes.apiserver.http.server import HTTPServer, serving
from pybernetes.apiserver.stages.audit.log import LogFile, Rotation
from pybernetes.apiserver.stages.audit.policy import load_policy

CORE = "/api/v1/namespaces/default"
HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"


@asynccontextmanager
async def audited(tmp_path: Path, policy: str, *flags: str) -> AsyncIterator[Server]:
    file = tmp_path / "policy.yaml"
    file.write_text(HEAD + policy)
    log = tmp_path / "audit.log"
    async with server(tmp_path, f"--audit-policy-file={file}", f"--audit-log-path={log}", *flags) as api:
        log.write_bytes(b"")
        yield api


def events(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tmp_path / "audit.log").read_text().splitlines()]


async def test_the_first_rule_that_fits_decides(tmp_path: Path) -> None:
    policy = """
rules:
- {level: None, users: [bob], verbs: [list]}
- {level: None, userGroups: ["system:nodes"]}
- {level: Metadata, resources: [{group: "", resources: ["pods/*"]}]}
- {level: Metadata, resources: [{group: apps, resources: ["*/scale"]}]}
- {level: Metadata, resources: [{group: "", resources: [secrets], resourceNames: [known]}]}
- {level: Metadata, namespaces: [kube-system]}
- {level: Metadata, nonResourceURLs: ["/healthz*"]}
- {level: Metadata, verbs: ["*"], resources: [{group: "*", resources: ["*"]}]}
"""
    async with audited(tmp_path, "omitStages: [RequestReceived]" + policy) as api:
        wanted = [
            "/api/v1/namespaces/default/pods", "/api/v1/namespaces/default/pods/x/log",
            "/apis/apps/v1/namespaces/default/deployments/x/scale", f"{CORE}/secrets/known",
            "/api/v1/namespaces/kube-system/secrets", "/healthz", "/healthz/ping",
        ]  # fmt: skip
        for path in (
            *wanted, "/apis/apps/v1/namespaces/default/deployments/x", f"{CORE}/secrets/other", "/api/v1/nodes", "/version"
        ):  # fmt: skip
            await api.raw("GET", path)
        await api.raw("GET", f"{CORE}/pods", token="bob")
        await api.raw("GET", "/healthz", token="node")
    assert [event["requestURI"] for event in events(tmp_path)] == wanted


async def test_objects_answers_and_annotations_are_told(tmp_path: Path) -> None:
    async with audited(tmp_path, "rules: [{level: RequestResponse}]\n") as api:
        body = {"metadata": {"name": "c"}, "data": {"k": "v"}}
        answer = await api.raw(
            "POST", f"{CORE}/configmaps", body, headers={"audit-id": "mine", "x-forwarded-for": "a, b"}
        )
        assert ("audit-id", "mine") in answer.headers
        pod = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "p"}}
        sent = Request("POST", f"{CORE}/configmaps", "", [("authorization", "Bearer admin"), ("content-type", "application/vnd.kubernetes.protobuf")], Whole(encode_object(pod)))  # fmt: skip
        assert (await api._handler(sent)).status == 201
        await api.raw("GET", f"{CORE}/configmaps/none")
    received, created, _, protobuf, _, missing = events(tmp_path)
    assert (received["stage"], received["stageTimestamp"]) == ("RequestReceived", received["requestReceivedTimestamp"])
    assert created["auditID"] == "mine"
    assert created["sourceIPs"] == ["a", "b"]
    assert created["requestObject"] == body
    assert created["responseObject"]["metadata"]["managedFields"]
    assert created["objectRef"] == {"resource": "configmaps", "namespace": "default", "apiVersion": "v1", "name": "c"}
    assert created["annotations"] == {
        "authorization.k8s.io/decision": "allow",
        "authorization.k8s.io/reason": "",
    }
    assert protobuf["requestObject"]["metadata"]["name"] == "p"
    assert missing["responseStatus"]["reason"] == "NotFound"
    assert missing["responseStatus"]["code"] == 404


class Whole:
    def __init__(self, data: bytes) -> None:
        self._data = data

    async def read(self) -> bytes:
        return self._data


async def test_managed_fields_are_left_out_where_asked(tmp_path: Path) -> None:
    policy = """
omitManagedFields: true
omitStages: [RequestReceived]
rules:
- {level: RequestResponse, verbs: [update, list]}
- {level: RequestResponse, omitManagedFields: false}
"""
    async with audited(tmp_path, policy) as api:
        made = await api.post(f"{CORE}/configmaps", {"metadata": {"name": "c"}, "data": {"k": "v"}})
        await api.get(f"{CORE}/configmaps")
        await api.call("PUT", f"{CORE}/configmaps/c", made.tree)
    got, listed, updated = events(tmp_path)
    assert updated["requestObject"]["metadata"]["uid"]
    assert "managedFields" not in updated["requestObject"]["metadata"]
    assert "managedFields" not in updated["responseObject"]["metadata"]
    assert all("managedFields" not in item["metadata"] for item in listed["responseObject"]["items"])
    assert got["responseObject"]["metadata"]["managedFields"]


async def test_a_watch_is_told_when_it_begins_and_when_it_ends(tmp_path: Path) -> None:
    class Writer:
        def __init__(self) -> None:
            self.ending = asyncio.Event()
            self.ending.set()

        def write(self, data: bytes) -> None:
            return

        write_framed = write

        def buffered(self) -> int:
            return 0

        async def drain(self) -> None:
            return

    async with audited(tmp_path, "rules: [{level: Metadata}]\n") as api:
        answer = await api.raw("GET", f"{CORE}/configmaps?watch=true")
        assert isinstance(answer, StreamResponse)
        assert [event["stage"] for event in events(tmp_path)] == ["RequestReceived", "ResponseStarted"]
        await answer.run(Writer())
    assert [event["stage"] for event in events(tmp_path)] == ["RequestReceived", "ResponseStarted", "ResponseComplete"]
    assert {event["verb"] for event in events(tmp_path)} == {"watch"}


async def test_who_is_impersonated_and_who_is_refused(tmp_path: Path) -> None:
    async with audited(tmp_path, "omitStages: [RequestReceived]\nrules: [{level: Metadata}]\n") as api:
        await api.raw("GET", f"{CORE}/pods", headers={"impersonate-user": "eve"})
        await api.raw("GET", f"{CORE}/pods", token="bob", headers={"impersonate-user": "eve"})
        await api.raw("GET", f"{CORE}/pods", token="wrong")
    acted, forbidden, unknown = events(tmp_path)
    assert (acted["user"]["username"], acted["impersonatedUser"]["username"]) == ("admin", "eve")
    assert acted["annotations"]["authorization.k8s.io/decision"] == "forbid"
    assert forbidden["user"]["username"] == "bob"
    assert forbidden["responseStatus"]["code"] == 403
    assert (unknown["user"], unknown["stage"], unknown["responseStatus"]["code"]) == ({}, "ResponseStarted", 401)
    assert unknown["responseStatus"]["message"] == "Authentication failed, attempted: bearer"


async def test_admission_tells_its_part(tmp_path: Path) -> None:
    async with audited(tmp_path, "omitStages: [RequestReceived]\nrules: [{level: Metadata}]\n") as api:
        labels = {"pod-security.kubernetes.io/enforce": "baseline", "pod-security.kubernetes.io/audit": "restricted"}
        await api.merge("/api/v1/namespaces/default", {"metadata": {"labels": labels}})
        assert (await api.pod("p")).status == 201
    told = events(tmp_path)[-1]["annotations"]
    assert told["pod-security.kubernetes.io/enforce-policy"] == "baseline:latest"
    assert told["pod-security.kubernetes.io/audit-violations"].startswith(
        'would violate PodSecurity "restricted:latest"'
    )


def test_a_full_file_is_renamed_and_old_ones_go(tmp_path: Path) -> None:
    now = datetime(2026, 1, 31, tzinfo=UTC)
    path = tmp_path / "audit.log"
    (tmp_path / "audit-notes.log").write_text("not ours")
    (tmp_path / "audit-2025-01-01T00-00-00.000.log").write_text("old")
    log = LogFile(path, Rotation(megabytes=1, backups=2, days=30), lambda: now)
    for number in range(5):
        now += timedelta(seconds=1)
        log.write({"auditID": str(number), "padding": "x" * 600_000})
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "audit-2026-01-31T00-00-04.000.log", "audit-2026-01-31T00-00-05.000.log", "audit-notes.log", "audit.log",
    ]  # fmt: skip
    assert json.loads(path.read_text())["auditID"] == "4"


async def test_standard_output(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    async with audited(tmp_path, "rules: [{level: Metadata}]\n", "--audit-log-path=-") as api:
        await api.raw("GET", "/version")
    lines = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines() if line.startswith(b"{")]
    assert [line["stage"] for line in lines if line["requestURI"] == "/version"] == [
        "RequestReceived",
        "ResponseComplete",
    ]


async def test_a_webhook_gets_batches(tmp_path: Path) -> None:
    batches: list[dict[str, Any]] = []
    arrived = asyncio.Event()

    async def take(request: Request) -> Answer:
        batches.append(json.loads(await request.body()))
        arrived.set()
        return Response(200)

    async with open_scope("webhook") as scope, serving(HTTPServer(take, scope, max_body=1 << 20)) as listening:
        port = await listening.listen("127.0.0.1", 0, None)
        config = tmp_path / "webhook.kubeconfig"
        config.write_text(
            json.dumps({
                "current-context": "x", "contexts": [{"name": "x", "context": {"cluster": "c"}}],
                "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}/audit"}}],
            })
        )  # fmt: skip
        flags = (f"--audit-webhook-config-file={config}", "--audit-webhook-batch-max-size=2")
        async with audited(tmp_path, "rules: [{level: Metadata}]\n", *flags) as api:
            await arrived.wait()  # the server's own first request
            arrived.clear()
            await api.raw("GET", "/version")
            async with asyncio.timeout(10):
                while not any(item["requestURI"] == "/version" for batch in batches for item in batch["items"]):
                    await arrived.wait()
                    arrived.clear()
    assert {(batch["kind"], batch["apiVersion"]) for batch in batches} == {("EventList", "audit.k8s.io/v1")}
    assert all(len(batch["items"]) <= 2 for batch in batches)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("rules: []", "loaded illegal policy with 0 rules from file "),
        ("rules: [{}]", 'rules[0].level: Required value'),
        ("rules: [{level: All}]", 'rules[0].level: Unsupported value: "All": supported values: "Metadata", "None", "Request", "RequestResponse"'),
        ("rules: [{level: None, nonResourceURLs: [x]}]", 'rules[0].nonResourceURLs[0]: Invalid value: "x": non-resource URL rules must begin with a \'/\' character'),
        ("rules: [{level: None, nonResourceURLs: ['/a*b']}]", "non-resource URL wildcards '*' must be the final character of the rule"),
        ("rules: [{level: None, nonResourceURLs: ['/a'], namespaces: [a]}]", "rules cannot apply to both regular resources and non-resource URLs"),
        ("rules: [{level: None, resources: [{resourceNames: [a]}]}]", "using resourceNames requires at least one resource"),
        ("rules: [{level: None, omitStages: [Never]}]", 'rules[0].omitStages[0]: Invalid value: "Never": allowed stages are RequestReceived,ResponseStarted,ResponseComplete,Panic'),
        ("rules: [{level: None, user: a}]", 'strict decoding error: unknown field "rules[0].user"'),
    ],
)  # fmt: skip
def test_a_wrong_policy_is_told_in_upstreams_words(policy: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(HEAD + policy)
    with pytest.raises(ConfigurationError) as caught:
        load_policy(str(file))
    assert words in str(caught.value)
    assert str(caught.value).startswith("loading audit policy file: ")
