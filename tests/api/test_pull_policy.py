"""Images whose names cannot be read."""

from __future__ import annotations

import pytest

from pybernetes.api.defaults import apply_defaults
from pybernetes.api.scheme import by_kind


@pytest.mark.parametrize(
    ("image", "policy"),
    [("nginx", "Always"), ("a/b:latest", "Always"), ("nginx:1", "IfNotPresent"), ("A_b!", "IfNotPresent"), ("", "IfNotPresent")],
)  # fmt: skip
def test_only_names_have_a_latest_tag(image: str, policy: str) -> None:
    resource = by_kind("v1", "Pod")
    assert resource is not None
    pod = {"metadata": {}, "spec": {"containers": [{"name": "c", "image": image, "resources": {}}]}, "status": {}}
    apply_defaults(resource, pod)
    assert pod["spec"]["containers"][0]["imagePullPolicy"] == policy
