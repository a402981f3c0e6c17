"""Network policies, ingress classes, endpoint slices."""

from __future__ import annotations

from pybernetes.api.defaults.table import Default, fields, set_empty
from pybernetes.api.tree import Tree


def _network_policy_spec(spec: Tree) -> None:
    types = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    set_empty(spec, "policyTypes", types)


DEFAULTS: dict[str, Default] = {
    "networking.v1.NetworkPolicySpec": _network_policy_spec,
    "networking.v1.NetworkPolicyPort": fields(protocol="TCP"),
    "networking.v1.IngressClassParametersReference": fields(scope="Cluster"),
    "discovery.v1.EndpointPort": fields(name="", protocol="TCP"),
}
