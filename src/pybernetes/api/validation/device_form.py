"""Claims of devices as messages show them: in upstream's own structures."""

from __future__ import annotations

from typing import Final

from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import shown_map
from pybernetes.api.validation.structures import NODE_SELECTOR, Structures, shown_struct, structure

_STRUCTURES: Final[Structures] = {
    **NODE_SELECTOR,
    "ClaimSpec": structure("Devices:o>DeviceClaim"),
    "DeviceClaim": structure("Requests>Request Constraints>Constraint Config>ClaimConfig"),
    "Request": structure("Name:s Exactly>ExactRequest FirstAvailable>SubRequest"),
    "ExactRequest": structure("""
        DeviceClassName:s Selectors>Selector AllocationMode:s Count:n AdminAccess Tolerations>Toleration
        Capacity>Capacity
    """),
    "SubRequest": structure("""
        Name:s DeviceClassName:s Selectors>Selector AllocationMode:s Count:n Tolerations>Toleration Capacity>Capacity
    """),
    "Selector": structure("CEL=cel>Expression"),
    "Expression": structure("Expression:s"),
    "Toleration": structure("Key:s Operator:s Value:s Effect:s TolerationSeconds"),
    "Capacity": structure("Requests"),
    "Constraint": structure("Requests MatchAttribute DistinctAttribute"),
    "ClaimConfig": structure("Requests Opaque>Opaque"),
    "Opaque": structure("Driver:s Parameters"),
    "Allocation": structure("Devices:o>AllocatedDevices NodeSelector>NodeSelector AllocationTimestamp"),
    "AllocatedDevices": structure("Results>Result Config>AllocatedConfig"),
    "AllocatedConfig": structure("Source:s Requests Opaque>Opaque"),
    "Result": structure("""
        Request:s Driver:s Pool:s Device:s AdminAccess Tolerations>Toleration BindingConditions BindingFailureConditions
        ShareID=shareID ConsumedCapacity
    """),
    "Attribute": structure("""
        IntValue=int BoolValue=bool StringValue=string VersionValue=version IntValues=ints BoolValues=bools
        StringValues=strings VersionValues=versions
    """),
}


def shown_claim_spec(spec: Tree) -> Tree:
    shown: Tree = shown_struct(spec, "ClaimSpec", _STRUCTURES)
    return shown


def shown_claim_template(spec: Tree) -> Tree:
    metadata = spec.get("metadata") or {}
    bags = {name: shown_map(metadata[name]) for name in ("labels", "annotations") if metadata.get(name)}
    return {**bags, "Spec": shown_claim_spec(spec.get("spec") or {})}


def shown_allocation(allocation: Tree) -> Tree:
    shown: Tree = shown_struct(allocation, "Allocation", _STRUCTURES)
    return shown


def shown_node_terms(terms: list[Tree] | None) -> list[Tree] | None:
    shown: list[Tree] | None = shown_struct(terms, "NodeSelectorTerm", _STRUCTURES)
    return shown


def shown_attribute(attribute: Tree) -> Tree:
    shown: Tree = shown_struct(attribute, "Attribute", _STRUCTURES)
    return shown
