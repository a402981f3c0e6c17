"""The objects of the system itself, as the options make them."""

from __future__ import annotations

import json
from pathlib import Path

from pybernetes.api.tree import Tree
from pybernetes.apiserver.options import Options

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


def namespaces() -> list[Tree]:
    return [{"metadata": {"name": name}} for name in NAMESPACES]


def service_cidr(options: Options) -> Tree:
    """The range that services get addresses of."""
    ranges = [text.strip() for text in options.service_cluster_ip_range.split(",")]
    return {"metadata": {"name": "kubernetes"}, "spec": {"cidrs": ranges}}


def authentication_config(options: Options) -> Tree:
    """`extension-apiserver-authentication`: the authorities of clients and of the front proxy."""
    data: dict[str, str] = {}
    if options.client_ca_file:
        data["client-ca-file"] = Path(options.client_ca_file).read_text("ascii")
    if options.requestheader_client_ca_file:
        data["requestheader-client-ca-file"] = Path(options.requestheader_client_ca_file).read_text("ascii")
        data["requestheader-allowed-names"] = json.dumps(list(options.requestheader_allowed_names))
        data["requestheader-username-headers"] = json.dumps(list(options.requestheader_username_headers))
        data["requestheader-group-headers"] = json.dumps(list(options.requestheader_group_headers))
        data["requestheader-extra-headers-prefix"] = json.dumps(list(options.requestheader_extra_headers_prefix))
    config: Tree = {"metadata": {"name": "extension-apiserver-authentication", "namespace": "kube-system"}}
    return config | ({"data": data} if data else {})
