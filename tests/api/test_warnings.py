"""Warnings for what is legal and yet most likely a mistake."""

from typing import Any

from pybernetes.api import scheme
from pybernetes.api.warnings import warnings_for


def told(api_version: str, kind: str, old: dict[str, Any] | None = None, **fields: Any) -> list[str]:
    resource = scheme.by_kind(api_version, kind)
    assert resource is not None
    return warnings_for(resource, {"metadata": {"name": "a"}, **fields}, old)


CONTAINER = {
    "name": "c",
    "ports": [{"containerPort": 80}, {"containerPort": 80}],
    "env": [{"name": "A"}, {"name": "A"}],
    "resources": {"requests": {"memory": "100m", "cpu": "100m"}},
}


def test_pods_and_templates() -> None:
    expected = [
        'spec.containers[0].resources.requests[memory]: fractional byte value "100m" is invalid, must be an integer',
        'spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply',
        "spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]",
    ]
    spec = {"containers": [CONTAINER]}
    assert told("v1", "Pod", spec=spec) == expected
    assert told("apps/v1", "Deployment", spec={"template": {"spec": spec}}) == [
        text.replace("spec.containers", "spec.template.spec.containers") for text in expected
    ]


def test_apparmor_profiles_of_templates_belong_into_fields() -> None:
    prefix = "container.apparmor.security.beta.kubernetes.io/"
    annotations = {f"{prefix}{name}": "runtime/default" for name in ("a", "b", "unknown")}
    own = {"name": "b", "securityContext": {"appArmorProfile": {"type": "Unconfined"}}}
    spec: dict[str, Any] = {"containers": [{"name": "a"}, own]}
    template = {"metadata": {"annotations": annotations}, "spec": spec}
    told_of_a = f'spec.template.metadata.annotations[{prefix}a]: deprecated since v1.30; use the "appArmorProfile" field instead'
    assert told("apps/v1", "DaemonSet", spec={"template": template}) == [told_of_a]
    spec["securityContext"] = {"appArmorProfile": {"type": "RuntimeDefault"}}
    assert told("apps/v1", "DaemonSet", spec={"template": template}) == []


def test_a_change_of_labels_warns_of_nothing() -> None:
    spec = {"containers": [CONTAINER]}
    assert told("v1", "Pod", old={"metadata": {"labels": {"a": "b"}}, "spec": spec}, spec=spec) == []
    assert told("v1", "Pod", old={"metadata": {}, "spec": {**spec, "activeDeadlineSeconds": 9}}, spec=spec) == []


def test_old_node_labels() -> None:
    spec = {"nodeSelector": {"beta.kubernetes.io/os": "linux"}}
    assert told("v1", "Pod", spec=spec) == [
        'spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead'
    ]


def test_a_certificate_that_is_none() -> None:
    pair = {"tls.crt": "YQ==", "tls.key": "Yg=="}
    assert told("v1", "Secret", type="kubernetes.io/tls", data=pair) == [
        "tls: failed to find any PEM data in certificate input"
    ]
    assert told("v1", "Secret", type="Opaque", data=pair) == []


def test_formats_that_nobody_knows() -> None:
    schema = {"properties": {"a": {"format": "frob"}, "b": {"items": {"format": "date-time"}}}}
    spec = {"versions": [{"schema": {"openAPIV3Schema": schema}}]}
    assert told("apiextensions.k8s.io/v1", "CustomResourceDefinition", spec=spec) == ['unrecognized format "frob"']
