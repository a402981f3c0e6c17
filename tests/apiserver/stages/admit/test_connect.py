"""Admission sees how somebody connects to a pod or a service: the query as the options of its kind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.apiserver.hooks import admitting, patch, pki, serving
from tests.apiserver.inprocess import Server, server

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
PODS = "/api/v1/namespaces/default/pods"

__all__ = ["pki"]


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Server]:
    async with server(tmp_path) as made:
        assert (await made.pod("p")).status == 201
        yield made


def rules(*resources: str) -> list[dict[str, Any]]:
    return [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CONNECT"], "resources": list(resources)}]


async def configure(cluster: Server, kind: str, config: dict[str, Any], *resources: str) -> None:
    webhook = {
        "name": "h.hooks.test", "clientConfig": config, "rules": rules(*resources), "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }  # fmt: skip
    body = {"metadata": {"name": "h"}, "webhooks": [webhook]}
    made = await cluster.post(f"{ADMISSION}/{kind}webhookconfigurations", body)
    assert made.status == 201, made.message


async def test_a_webhook_refuses_by_the_options(cluster: Server, pki: Path) -> None:
    def decide(request: dict[str, Any]) -> dict[str, Any]:
        return {"allowed": False, "status": {"message": f"no {request['object']['kind']}", "code": 403}}

    async with serving(pki, admitting(decide)) as made:
        await configure(
            cluster, "validating", made.config, "pods/attach", "pods/exec", "pods/portforward", "pods/proxy"
        )
        for path in (
            "attach?stdin=true&stdout=true&container=c", "exec?command=ls&command=-l&tty=true",
            "portforward?ports=80&ports=443", "proxy/a/b?c=d",
        ):  # fmt: skip
            await cluster.merge(f"{PODS}/p/status", {"status": {"podIP": "10.1.2.3", "podIPs": [{"ip": "10.1.2.3"}]}})
            verb = "GET" if path.startswith("proxy") else "POST"
            refused = await cluster.call(verb, f"{PODS}/p/{path}")
            assert refused.status == 403, refused.message
            assert refused.message.startswith('admission webhook "h.hooks.test" denied the request: no ')
    attach, run, forward, proxy = made.asked
    assert attach["object"] == {
        "kind": "PodAttachOptions", "apiVersion": "v1", "stdin": True, "stdout": True, "container": "c",
    }  # fmt: skip
    assert attach["kind"] == {"group": "", "version": "v1", "kind": "PodAttachOptions"}
    assert attach["resource"] == {"group": "", "version": "v1", "resource": "pods"}
    assert (attach["subResource"], attach["operation"], attach["name"]) == ("attach", "CONNECT", "p")
    assert run["object"]["command"] == ["ls", "-l"]
    assert run["object"]["tty"] is True
    assert forward["object"] == {"kind": "PodPortForwardOptions", "apiVersion": "v1", "ports": [80, 443]}
    assert proxy["object"] == {"kind": "PodProxyOptions", "apiVersion": "v1", "path": "/a/b"}


async def test_what_a_webhook_makes_of_the_options_counts(cluster: Server, pki: Path) -> None:
    def decide(request: dict[str, Any]) -> dict[str, Any]:
        return patch({"op": "add", "path": "/container", "value": "other"})

    async with serving(pki, admitting(decide)) as made:
        await configure(cluster, "mutating", made.config, "pods/exec")
        refused = await cluster.post(f"{PODS}/p/exec?command=ls&stdout=1", None)
    assert (refused.status, refused.message) == (400, "container other is not valid for pod p")


async def test_a_policy_reads_the_options(cluster: Server) -> None:
    spec = {
        "matchConstraints": {"resourceRules": rules("pods/exec")},
        "validations": [{"expression": "object.command[0] != 'rm'", "message": "not that"}],
    }
    await cluster.post(f"{ADMISSION}/validatingadmissionpolicies", {"metadata": {"name": "p"}, "spec": spec})
    binding = {"metadata": {"name": "b"}, "spec": {"policyName": "p", "validationActions": ["Deny"]}}
    await cluster.post(f"{ADMISSION}/validatingadmissionpolicybindings", binding)
    refused = await cluster.post(f"{PODS}/p/exec?command=rm", None)
    assert (refused.status, "not that" in refused.message) == (422, True)
    passed = await cluster.post(f"{PODS}/p/exec?command=ls&stdout=1", None)
    assert (passed.status, passed.message) == (400, "pod p does not have a host assigned")
