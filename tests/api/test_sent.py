"""Messages tell what is empty from what is not there, although decoding drops both."""

from typing import Any

import pytest

from pybernetes.api.field import Path, invalid, not_supported
from pybernetes.api.validation.sent import as_sent

SPEC = Path("spec")
LABELS = Path("spec").child("template", "metadata", "labels")


def told(sent: dict[str, Any], *errors: Any) -> list[str]:
    return [str(error) for error in as_sent(errors, sent)]


@pytest.mark.parametrize(("labels", "shown"), [({}, "{}"), (None, "null")])
def test_maps_that_are_empty(labels: Any, shown: str) -> None:
    sent = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": {"metadata": {"labels": labels}}}}
    assert told(sent, invalid(LABELS, None, "x")) == [f"spec.template.metadata.labels: Invalid value: {shown}: x"]


def test_structures_are_there_or_not_and_never_empty() -> None:
    sent = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "spec": {"rules": []}}
    here, elsewhere = invalid(SPEC, None, "x"), invalid(SPEC, None, "x", at=SPEC.child("rules"))
    assert told(sent, here, elsewhere) == ["spec: Invalid value: null: x", "spec: Invalid value: []: x"]


def test_what_is_inside_a_shown_structure() -> None:
    request = {"name": "r", "firstAvailable": []}
    sent = {
        "apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaim",
        "spec": {"devices": {"requests": [request], "constraints": None}},
    }  # fmt: skip
    shown = {"Devices": {"Requests": [{"Name": "r", "Exactly": None, "FirstAvailable": None}], "Constraints": None}}
    assert told(sent, invalid(SPEC, shown, "x")) == [
        'spec: Invalid value: {"Devices":{"Requests":[{"Name":"r","Exactly":null,"FirstAvailable":[]}],'
        '"Constraints":null}}: x'
    ]


def test_other_values_and_other_kinds_stay() -> None:
    kept = invalid(LABELS, {"a": "b"}, "x"), not_supported(LABELS, "y", ["z"])
    sent = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": {"metadata": {"labels": {}}}}}
    assert as_sent(kept, sent) == list(kept)
    custom = {"apiVersion": "a.test/v1", "kind": "Thing", "spec": {"template": {"metadata": {"labels": {}}}}}
    assert told(custom, invalid(LABELS, None, "x")) == ["spec.template.metadata.labels: Invalid value: null: x"]
