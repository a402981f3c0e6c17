"""The configuration of egress: read as strictly as upstream reads it; what would need a proxy is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.apiserver.inprocess import server

from pybernetes.apiserver.configuration import ConfigurationError

DIRECT = {"name": "cluster", "connection": {"proxyProtocol": "Direct"}}
PROXY = {"proxyProtocol": "HTTPConnect", "transport": {"uds": {"udsName": "/run/konnectivity.sock"}}}


def written(folder: Path, *selections: Any) -> str:
    file = folder / "egress.yaml"
    config = {"apiVersion": "apiserver.k8s.io/v1beta1", "kind": "EgressSelectorConfiguration"}
    file.write_text(json.dumps({**config, "egressSelections": selections}))
    return f"--egress-selector-config-file={file}"


async def test_direct_connections_are_what_there_is(tmp_path: Path) -> None:
    async with server(tmp_path, written(tmp_path, DIRECT, {**DIRECT, "name": "Etcd"})) as api:
        assert (await api.get("/version")).status == 200


@pytest.mark.parametrize(
    ("selections", "words"),
    [
        ([DIRECT, DIRECT], 'service.connection[1]: Duplicate value: "cluster"'),
        ([{**DIRECT, "name": "moon"}], 'service.connection: Unsupported value: "moon": supported values: "cluster", "controlplane", "etcd"'),
        ([{"name": "etcd", "connection": {"proxyProtocol": "x"}}], 'service.connection.protocol: Unsupported value: "x": supported values: "Direct", "HTTPConnect", "GRPC"'),
        ([{"name": "etcd", "connection": {**PROXY, "proxyProtocol": "Direct"}}], 'service.connection.transport: Invalid value: "direct": config must be absent for direct connect'),
        ([{"name": "etcd", "connection": {"proxyProtocol": "GRPC"}}], "service.connection.transport: Required value: transport must be set for GRPC"),
        ([{"name": "etcd", "connection": PROXY}], "egress of 'etcd' through a proxy (HTTPConnect) is not supported: Direct is"),
        ([{**DIRECT, "port": 1}], 'strict decoding error: unknown field "egressSelections[0].port"'),
    ],
)  # fmt: skip
async def test_others_are_refused_by_name(tmp_path: Path, selections: list[Any], words: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        async with server(tmp_path, written(tmp_path, *selections)):
            pass
    assert str(refused.value) == words


async def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="unable to read egress selector configuration from"):
        async with server(tmp_path, "--egress-selector-config-file=/none"):
            pass
