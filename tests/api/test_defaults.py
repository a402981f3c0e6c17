"""Defaults, wherever in a kind the definition that has them stands."""

from typing import Any

import pytest

from pybernetes.api import decode, scheme
from pybernetes.api.defaults import apply_defaults
from pybernetes.api.schema import schema_of
from pybernetes.api.scheme import Resource


def defaulted(api_version: str, kind: str, **fields: Any) -> dict[str, Any]:
    resource = scheme.by_kind(api_version, kind)
    assert resource is not None
    tree = decode.decode(schema_of(api_version, kind), {"metadata": {"name": "x"}, **fields}).tree
    apply_defaults(resource, tree)
    once = repr(tree)
    apply_defaults(resource, tree)
    assert repr(tree) == once, "defaults are safe to repeat"
    return tree


def pod_spec(**fields: Any) -> dict[str, Any]:
    spec: dict[str, Any] = {"containers": [{"name": "c", "image": "i:1"}], **fields}
    return spec


def test_a_pod() -> None:
    assert defaulted("v1", "Pod", spec=pod_spec())["spec"] == {
        "containers": [
            {
                "name": "c", "image": "i:1", "resources": {}, "imagePullPolicy": "IfNotPresent",
                "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
            }
        ],
        "dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "securityContext": {},
        "terminationGracePeriodSeconds": 30, "schedulerName": "default-scheduler", "enableServiceLinks": True,
    }  # fmt: skip


def test_a_template_gets_a_pods_spec_but_not_what_only_pods_have() -> None:
    limits = {"name": "c", "resources": {"limits": {"cpu": "1"}}}
    template = {"spec": {"containers": [limits]}}
    spec = defaulted("apps/v1", "Deployment", spec={"template": template})["spec"]
    assert spec["template"]["spec"]["dnsPolicy"] == "ClusterFirst"
    assert "enableServiceLinks" not in spec["template"]["spec"]
    assert "requests" not in spec["template"]["spec"]["containers"][0]["resources"]
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}
    assert (spec["replicas"], spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (1, 10, 600)


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"), ("nginx:latest", "Always"), ("nginx:1", "IfNotPresent"), ("host:5000/nginx", "Always"),
        ("host:5000/nginx:1", "IfNotPresent"), ("nginx@sha256:" + "a" * 64, "IfNotPresent"),
    ],
)  # fmt: skip
def test_only_moving_tags_are_always_pulled(image: str, policy: str) -> None:
    spec = defaulted("v1", "Pod", spec={"containers": [{"name": "c", "image": image}]})["spec"]
    assert spec["containers"][0]["imagePullPolicy"] == policy


def test_a_probe_and_its_handler() -> None:
    probe = {"httpGet": {"port": 80}}
    spec = defaulted("v1", "Pod", spec={"containers": [{"name": "c", "livenessProbe": probe}]})["spec"]
    assert spec["containers"][0]["livenessProbe"] == {
        "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
        "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3,
    }  # fmt: skip


def test_requests_come_from_limits() -> None:
    resources = {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "100m"}}
    spec = defaulted("v1", "Pod", spec={"containers": [{"name": "c", "resources": resources}]})["spec"]
    assert spec["containers"][0]["resources"]["requests"] == {"cpu": "100m", "memory": "1Gi"}


def test_pod_level_requests_come_from_the_containers_then_from_the_limits() -> None:
    one = {"name": "a", "resources": {"requests": {"cpu": "100m"}}}
    two = {"name": "b", "resources": {"requests": {"cpu": "200m"}}}
    init = {"name": "i", "resources": {"requests": {"cpu": "250m"}}}
    sidecar = {"name": "s", "restartPolicy": "Always", "resources": {"requests": {"cpu": "50m"}}}
    limits = {"limits": {"cpu": "1", "memory": "1Gi"}}
    spec = {"containers": [one, two], "initContainers": [sidecar, init], "resources": limits}
    resources = defaulted("v1", "Pod", spec=spec)["spec"]["resources"]
    assert resources["requests"] == {"cpu": "350m", "memory": "1Gi"}


def test_amounts_are_kept_to_thousandths() -> None:
    resources = {"requests": {"cpu": "1n", "memory": "100"}}
    spec = defaulted("v1", "Pod", spec={"containers": [{"name": "c", "resources": resources}]})["spec"]
    assert spec["containers"][0]["resources"]["requests"] == {"cpu": "1m", "memory": "100"}


def test_both_names_of_the_service_account_are_told() -> None:
    spec = defaulted("v1", "Pod", spec=pod_spec(serviceAccount="robot"))["spec"]
    assert (spec["serviceAccountName"], spec["serviceAccount"]) == ("robot", "robot")


def test_host_network_takes_the_ports_of_the_host() -> None:
    container = {"name": "c", "ports": [{"containerPort": 80}]}
    spec = defaulted("v1", "Pod", spec={"containers": [container], "hostNetwork": True})["spec"]
    assert spec["containers"][0]["ports"] == [{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}]


def test_a_volume_without_a_source_is_empty_dir() -> None:
    volumes = [{"name": "a"}, {"name": "b", "configMap": {"name": "c"}}, {"name": "d", "hostPath": {"path": "/"}}]
    spec = defaulted("v1", "Pod", spec=pod_spec(volumes=volumes))["spec"]
    assert spec["volumes"] == [
        {"name": "a", "emptyDir": {}},
        {"name": "b", "configMap": {"name": "c", "defaultMode": 420}},
        {"name": "d", "hostPath": {"path": "/", "type": ""}},
    ]


def test_the_first_range_and_address_are_told_in_both_their_fields() -> None:
    node = defaulted("v1", "Node", spec={"podCIDR": "10.0.0.0/24"})
    assert node["spec"]["podCIDRs"] == ["10.0.0.0/24"]
    assert defaulted("v1", "Node", spec={"podCIDRs": ["10.0.0.0/24", "fd::/64"]})["spec"]["podCIDR"] == "10.0.0.0/24"
    assert defaulted("v1", "Pod", status={"podIP": "10.0.0.1"})["status"]["podIPs"] == [{"ip": "10.0.0.1"}]
    assert defaulted("v1", "Pod", status={"podIPs": [{"ip": "10.0.0.1"}]})["status"]["podIP"] == "10.0.0.1"


def test_a_service() -> None:
    spec = defaulted("v1", "Service", spec={"ports": [{"port": 80}], "type": "LoadBalancer"})["spec"]
    assert spec == {
        "ports": [{"port": 80, "targetPort": 80, "protocol": "TCP"}], "type": "LoadBalancer", "sessionAffinity": "None",
        "externalTrafficPolicy": "Cluster", "internalTrafficPolicy": "Cluster", "allocateLoadBalancerNodePorts": True,
    }  # fmt: skip


def test_string_data_is_a_way_to_write_data() -> None:
    secret = defaulted("v1", "Secret", data={"a": "YQ=="}, stringData={"b": "b"})
    assert secret["data"] == {"a": "YQ==", "b": "Yg=="}
    assert "stringData" not in secret
    assert secret["type"] == "Opaque"


def test_limits_of_a_limit_range() -> None:
    item = {"type": "Container", "max": {"cpu": "2"}, "min": {"memory": "1Mi"}, "default": {"memory": "8Mi"}}
    limits = defaulted("v1", "LimitRange", spec={"limits": [item]})["spec"]["limits"][0]
    assert limits["default"] == {"cpu": "2", "memory": "8Mi"}
    assert limits["defaultRequest"] == {"cpu": "2", "memory": "8Mi"}


def test_a_job() -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pod_spec(restartPolicy="Never")}
    job = defaulted("batch/v1", "Job", spec={"template": template})
    assert job["metadata"]["labels"] == {"a": "b"}
    assert (job["spec"]["completions"], job["spec"]["parallelism"], job["spec"]["backoffLimit"]) == (1, 1, 6)
    cron = defaulted("batch/v1", "CronJob", spec={"jobTemplate": {"spec": {"template": template}}})["spec"]
    assert "backoffLimit" not in cron["jobTemplate"]["spec"]
    assert cron["jobTemplate"]["spec"]["template"]["spec"]["dnsPolicy"] == "ClusterFirst"


def test_a_claim_template_is_a_claim() -> None:
    claim = {"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": "1Gi"}}}}
    spec = defaulted("apps/v1", "StatefulSet", spec={"volumeClaimTemplates": [claim]})["spec"]
    template = spec["volumeClaimTemplates"][0]
    assert (template["kind"], template["spec"]["volumeMode"]) == ("PersistentVolumeClaim", "Filesystem")
    assert spec["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}


def test_webhooks_do_not_share_their_selectors() -> None:
    hook = {"name": "a", "clientConfig": {"service": {"name": "s"}}, "rules": [{"operations": ["*"]}]}
    tree = defaulted("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", webhooks=[hook, hook])
    first, second = tree["webhooks"]
    first["namespaceSelector"]["matchLabels"] = {}
    assert second["namespaceSelector"] == {}
    assert second["clientConfig"]["service"]["port"] == 443
    assert (second["rules"][0]["scope"], second["reinvocationPolicy"]) == ("*", "Never")


def test_custom_resources_are_left_alone() -> None:
    tree: dict[str, Any] = {"apiVersion": "x.io/v1", "kind": "Pod", "spec": {}}
    apply_defaults(Resource("x.io", "v1", "pods", "Pod", "pod", True), tree)
    assert tree == {"apiVersion": "x.io/v1", "kind": "Pod", "spec": {}}
