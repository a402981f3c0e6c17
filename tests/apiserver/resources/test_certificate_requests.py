"""CertificateSigningRequests: what may be asked for, and who may decide by which subresource."""

from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.apiserver.inprocess import Reply, Server, server

REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
PEM = b64encode(b"-----BEGIN CERTIFICATE REQUEST-----\nAA==\n-----END CERTIFICATE REQUEST-----\n").decode()


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Server]:
    async with server(tmp_path) as made:
        yield made


async def ask(api: Server, signer: str = "a.test/b") -> Reply:
    spec = {"request": PEM, "signerName": signer, "usages": ["client auth"]}
    return await api.post(REQUESTS, {"metadata": {"name": "c"}, "spec": spec})


async def decide(api: Server, subresource: str, *conditions: dict[str, str]) -> Reply:
    body = (await api.get(f"{REQUESTS}/c")).tree | {"status": {"conditions": list(conditions)}}
    return await api.call("PUT", f"{REQUESTS}/c/{subresource}", body)


def condition(kind: str, **more: str) -> dict[str, str]:
    return {"type": kind, "status": "True", "reason": "R", **more}


def causes(reply: Reply) -> list[Any]:
    assert reply.status == 422, reply.tree
    return [(cause["field"], cause["message"].partition(":")[0]) for cause in reply.tree["details"]["causes"]]


@pytest.mark.parametrize(
    ("signer", "complaint"),
    [
        ("A.b/c", 'validating label "A": a lowercase RFC 1123 label'),
        ("a.b/C_", 'validating label "C_": a lowercase RFC 1123 subdomain'),
        ("a.b/", 'validating label "": a lowercase RFC 1123 subdomain'),
        ("a/b", "should be a domain with at least two segments separated by dots"),
    ],
)
async def test_both_parts_of_a_signers_name_are_names(api: Server, signer: str, complaint: str) -> None:
    assert complaint in (await ask(api, signer)).message


async def test_only_approval_approves(api: Server) -> None:
    await ask(api)
    refused = await decide(api, "status", condition("Approved"))
    assert causes(refused) == [("status.conditions", "Forbidden")]
    assert 'may not add a condition of type "Approved"' in refused.message
    assert (await decide(api, "approval", condition("Approved"))).status == 200
    changed = await decide(api, "status", condition("Approved", reason="Other"), condition("Failed"))
    told = [(one["type"], one["reason"]) for one in changed.tree["status"]["conditions"]]
    assert told == [("Approved", "R"), ("Failed", "R")]
    assert (
        'may not remove a condition of type "Failed"' in (await decide(api, "approval", condition("Approved"))).message
    )


async def test_a_conditions_status_is_required(api: Server) -> None:
    await ask(api)
    assert causes(await decide(api, "approval", condition("Approved", status=""))) == [
        ("status.conditions[0].status", "Required value")
    ]
    assert causes(await decide(api, "approval", condition("Approved", status="False"))) == [
        ("status.conditions[0].status", "Unsupported value")
    ]
