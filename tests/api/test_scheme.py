"""The scheme against the recorded discovery and the generated types."""

import pytest

from pybernetes.api import scheme
from pybernetes.api.scheme import Resource
from pybernetes.api.types import apps_v1, autoscaling_v1, core_v1, rbac_v1


def test_every_built_in_resource_has_a_type_and_is_found_by_it() -> None:
    for resource in scheme.resources():
        kind = scheme.type_of(resource)
        assert kind is not None
        assert scheme.resource_for(kind) == resource
        assert scheme.by_plural(resource.group, resource.version, resource.plural) is resource
        assert scheme.by_kind(resource.api_version, resource.kind) == resource


@pytest.mark.parametrize("kind", [core_v1.PodSpec, core_v1.PodList, autoscaling_v1.Scale])
def test_parts_and_lists_are_no_resources(kind: type) -> None:
    with pytest.raises(LookupError):
        scheme.resource_for(kind)


def test_paths() -> None:
    pods = scheme.resource_for(core_v1.Pod)
    roles = scheme.resource_for(rbac_v1.ClusterRole)
    assert pods.path() == "/api/v1/pods"
    assert pods.path("ns") == "/api/v1/namespaces/ns/pods"
    assert pods.path("ns", "p", "log") == "/api/v1/namespaces/ns/pods/p/log"
    assert roles.path("ignored", "admin") == "/apis/rbac.authorization.k8s.io/v1/clusterroles/admin"


def test_names_for_messages() -> None:
    deployments = scheme.resource_for(apps_v1.Deployment)
    assert deployments.group_resource == "deployments.apps"
    pods = scheme.resource_for(core_v1.Pod)
    assert (pods.group_resource, pods.list_kind) == ("pods", "PodList")


def test_subresources_name_the_kind_that_travels() -> None:
    scale = scheme.resource_for(apps_v1.Deployment).subresources["scale"]
    assert (scale.api_version, scale.kind, scale.verbs) == ("autoscaling/v1", "Scale", ("get", "patch", "update"))
    status = scheme.resource_for(apps_v1.Deployment).subresources["status"]
    assert (status.api_version, status.kind) == ("apps/v1", "Deployment")


def test_preferred_versions_come_first() -> None:
    assert scheme.group_versions("autoscaling") == ("v2", "v1")
    assert scheme.group_versions("") == ("v1",)
    assert scheme.group_versions("example.com") == ()


def test_one_log_per_object_however_many_ways_serve_it() -> None:
    new = scheme.by_plural("events.k8s.io", "v1", "events")
    hpa = scheme.by_plural("autoscaling", "v1", "horizontalpodautoscalers")
    assert new is not None
    assert hpa is not None
    assert scheme.storage_resource(new) == scheme.resource_for(core_v1.Event)
    assert scheme.storage_resource(hpa).version == "v2"
    assert scheme.storage_resource(scheme.resource_for(core_v1.Pod)).plural == "pods"


def test_storage_prefixes_are_upstreams() -> None:
    found = {r.plural: scheme.storage_prefix(r) for r in scheme.resources()}
    assert found["nodes"] == "minions"
    assert found["services"] == "services/specs"
    assert found["deployments"] == "deployments"
    assert found["leases"] == "leases"
    custom = Resource("example.com", "v1", "things", "Thing", "thing", True)
    assert scheme.storage_prefix(custom) == "example.com/things"


def test_a_custom_resource_is_a_resource() -> None:
    custom = Resource("example.com", "v1", "things", "Thing", "thing", True)
    assert custom.path("ns", "a", "status") == "/apis/example.com/v1/namespaces/ns/things/a/status"
    assert (custom.list_kind, custom.api_version) == ("ThingList", "example.com/v1")
    assert scheme.type_of(custom) is None


def test_split_api_version() -> None:
    assert scheme.split_api_version("v1") == ("", "v1")
    assert scheme.split_api_version("apps/v1") == ("apps", "v1")
