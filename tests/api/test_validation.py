"""Validation against recordings of upstream 1.36, and the rules that the recordings do not show.

`testdata/creations.jsonl` holds objects that clients sent, and the causes (or the decoding error) that came back;
`updates.jsonl` holds pairs of objects. What CEL, admission, allocators or other objects decide is not among them.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from pybernetes.api import decode, scheme
from pybernetes.api.defaults import apply_defaults
from pybernetes.api.field import Path as FieldPath
from pybernetes.api.schema import schema_of
from pybernetes.api.scheme import Resource
from pybernetes.api.validation import validate
from pybernetes.api.validation.schema_form import shown_schema
from pybernetes.api.validation.structural import validate_structural

TESTDATA = Path(__file__).parent / "testdata"
NAMESPACE, UID = "ns-z9q", "uid-1"


def cases(name: str) -> list[Any]:
    found = [json.loads(line) for line in (TESTDATA / name).read_text().splitlines()]
    return [pytest.param(case, id=case["from"]) for case in found]


def resource_of(tree: dict[str, Any]) -> Resource:
    found = scheme.by_kind(tree["apiVersion"], tree["kind"])
    assert found is not None
    return found


def complete(resource: Resource, sent: dict[str, Any]) -> dict[str, Any]:
    """What the API server has made of an object when it validates it."""
    tree = decode.decode(schema_of(resource.api_version, resource.kind), sent).tree
    meta = tree["metadata"]
    meta.setdefault("name", meta["generateName"] + "abcde") if "generateName" in meta else None
    if resource.namespaced:
        meta.setdefault("namespace", NAMESPACE)
    if "get" in resource.verbs:  # reviews are never stored
        meta["uid"] = UID
    if resource.kind == "Job" and not tree["spec"].get("manualSelector"):
        own = {"controller-uid": UID, "batch.kubernetes.io/controller-uid": UID}
        named = {"job-name": meta["name"], "batch.kubernetes.io/job-name": meta["name"]}
        tree["spec"]["template"]["metadata"].setdefault("labels", {}).update(own | named)
        tree["spec"]["selector"] = tree["spec"].get("selector") or {}
        labels = tree["spec"]["selector"].setdefault("matchLabels", {})
        labels["batch.kubernetes.io/controller-uid"] = UID
    if resource.kind == "Service" and tree["spec"].get("clusterIP"):
        tree["spec"].setdefault("clusterIPs", [tree["spec"]["clusterIP"]])
    if "status" in resource.subresources:
        tree.pop("status", None)
    tree = decode.decode(schema_of(resource.api_version, resource.kind), tree).tree
    apply_defaults(resource, tree)
    return tree


def causes(resource: Resource, tree: dict[str, Any], old: dict[str, Any] | None = None, sub: str = "") -> list[Any]:
    return sorted([error.cause["field"], error.cause["message"]] for error in validate(resource, tree, old, sub))


@pytest.mark.parametrize("case", cases("creations.jsonl"))
def test_creations_as_upstream_judges_them(case: dict[str, Any]) -> None:
    resource = resource_of(case["object"])
    if "decode" in case:
        with pytest.raises(decode.DecodeError) as caught:
            complete(resource, case["object"])
        assert str(caught.value) == case["decode"]
    else:
        assert causes(resource, complete(resource, case["object"])) == case["causes"]


@pytest.mark.parametrize("case", cases("updates.jsonl"))
def test_updates_as_upstream_judges_them(case: dict[str, Any]) -> None:
    resource = resource_of(case["old"])
    found = [
        [place, message.partition("\n")[0] + ("\n" if "\n" in message else "")]
        for place, message in causes(resource, case["new"], case["old"], case["subresource"])
    ]
    # Behind a line break stands a dump of upstream's own structures. Upstream's repetitions of one complaint have no meaning of their own.
    assert {tuple(one) for one in found} == {tuple(one) for one in case["causes"]}


def created(api_version: str, kind: str, **fields: Any) -> list[Any]:
    sent = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, **fields}
    resource = resource_of(sent)
    return causes(resource, complete(resource, sent))


def pod(**spec: Any) -> dict[str, Any]:
    return {"containers": [{"name": "main", "image": "i"}], **spec}


def a_variable(volume: str) -> dict[str, Any]:
    return {"name": "A", "valueFrom": {"fileKeyRef": {"volumeName": volume, "path": "f", "key": "K"}}}


def deployment(**spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pod()}
    return {"selector": {"matchLabels": {"a": "b"}}, "template": template, **spec}


@pytest.mark.parametrize(
    ("spec", "cause"),
    [
        (
            pod(
                hostNetwork=True,
                containers=[{"name": "c", "image": "i", "ports": [{"containerPort": 1, "hostPort": 2}]}],
            ),
            [
                "spec.containers[0].ports[0].containerPort",
                "Invalid value: 1: must match `hostPort` when `hostNetwork` is true",
            ],
        ),
        (
            pod(
                volumes=[{"name": "v", "emptyDir": {}}],
                containers=[{"name": "c", "image": "i", "env": [a_variable("v"), a_variable("absent")]}],
            ),
            ["spec.containers[0].env[1].valueFrom.fileKeyRef.volumeName", 'Not found: "absent"'],
        ),
        (
            pod(
                volumes=[{"name": "v", "secret": {"secretName": "s"}}],
                containers=[{"name": "c", "image": "i", "env": [a_variable("v")]}],
            ),
            [
                "spec.containers[0].env[0].valueFrom.fileKeyRef.volumeName",
                'Invalid value: "v": referenced volume must be of type emptyDir',
            ],
        ),
        (
            pod(hostnameOverride="a.b", setHostnameAsFQDN=True),
            ["spec.hostnameOverride", "Forbidden: may not be specified when setHostnameAsFQDN is true"],
        ),
        (
            pod(hostnameOverride="a.b", hostNetwork=True),
            ["spec.hostnameOverride", "Forbidden: may not be specified when hostNetwork is true"],
        ),
        (
            pod(hostnameOverride="a" * 65),
            ["spec.hostnameOverride", "Too long: may not be more than 64 bytes"],
        ),
        (
            pod(securityContext={"runAsUser": -1}),
            ["spec.securityContext.runAsUser", "Invalid value: -1: must be between 0 and 2147483647, inclusive"],
        ),
        (
            pod(securityContext={"seccompProfile": {"type": "Localhost"}}),
            [
                "spec.securityContext.seccompProfile.localhostProfile",
                "Required value: must be set when seccomp type is Localhost",
            ],
        ),
        (
            pod(initContainers=[{"name": "i", "image": "i", "readinessProbe": {"exec": {"command": ["x"]}}}]),
            [
                "spec.initContainers[0].readinessProbe",
                "Forbidden: may not be set for init containers without restartPolicy=Always",
            ],
        ),
        (
            pod(volumes=[{"name": "v", "projected": {"sources": [{"serviceAccountToken": {}}]}}]),
            ["spec.volumes[0].projected.path", "Required value"],
        ),
    ],
)
def test_pods(spec: dict[str, Any], cause: list[str]) -> None:
    assert created("v1", "Pod", spec=spec) == [cause]


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        (deployment(), []),
        (deployment(replicas=-1), [["spec.replicas", "Invalid value: -1: must be greater than or equal to 0"]]),
        (
            deployment(strategy={"rollingUpdate": {"maxUnavailable": 0, "maxSurge": "0%"}}),
            [["spec.strategy.rollingUpdate.maxUnavailable", "Invalid value: 0: may not be 0 when `maxSurge` is 0"]],
        ),
        (
            deployment(minReadySeconds=600),
            [["spec.progressDeadlineSeconds", "Invalid value: 600: must be greater than minReadySeconds"]],
        ),
        (
            deployment(selector={}),
            [["spec.selector", "Invalid value: {}: empty selector is invalid for deployment"]],
        ),
    ],
)
def test_deployments(spec: dict[str, Any], found: list[Any]) -> None:
    assert created("apps/v1", "Deployment", spec=spec) == found


def test_a_claim_template_is_a_volume_of_the_pods() -> None:
    container = {"name": "c", "image": "i", "volumeMounts": [{"name": "data", "mountPath": "/d"}]}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [container]}}
    spec: dict[str, Any] = {"serviceName": "s", "selector": {"matchLabels": {"a": "b"}}, "template": template}
    missing = ["spec.template.spec.containers[0].volumeMounts[0].name", 'Not found: "data"']
    assert created("apps/v1", "StatefulSet", spec=spec) == [missing]
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    templates = [{"metadata": {"name": "data"}, "spec": claim}]
    assert created("apps/v1", "StatefulSet", spec={**spec, "volumeClaimTemplates": templates}) == []


@pytest.mark.parametrize(
    ("schedule", "complaint"),
    [
        ("*/5 * * * *", ""), ("@daily", ""), ("0 0 1-5/2 jan,feb mon-fri", ""), ("@every 5m", ""),
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("x * * * *", 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'),
        ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
        ("@sometimes", "unrecognized descriptor: @sometimes"),
    ],
)  # fmt: skip
def test_schedules(schedule: str, complaint: str) -> None:
    job = {"spec": {"template": {"spec": pod(restartPolicy="Never")}}}
    found = created("batch/v1", "CronJob", spec={"schedule": schedule, "jobTemplate": job})
    expected = [["spec.schedule", f'Invalid value: "{schedule}": {complaint}']] if complaint else []
    assert found == expected


def test_role_bindings_keep_their_role() -> None:
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": "system:x", "resourceVersion": "1"},
        "roleRef": {"kind": "ClusterRole", "name": "a"}, "subjects": [{"kind": "User", "name": "u"}],
    }  # fmt: skip
    resource = resource_of(binding)
    old = complete(resource, binding)
    new = complete(resource, {**binding, "roleRef": {"kind": "ClusterRole", "name": "b"}})
    shown = '{"APIGroup":"rbac.authorization.k8s.io","Kind":"ClusterRole","Name":"b"}'
    assert causes(resource, old) == []
    assert causes(resource, new, old) == [["roleRef", f"Invalid value: {shown}: cannot change roleRef"]]


def test_metadata_of_custom_resources() -> None:
    resource = Resource("example.com", "v1", "things", "Thing", "thing", True)
    tree: dict[str, Any] = {"metadata": {"name": "A", "namespace": "x"}, "spec": {"anything": 1}}
    assert [cause[0] for cause in causes(resource, tree)] == ["metadata.name"]


def test_annotations_have_a_total_size() -> None:
    fits, exceeds = {"a": "x" * (256 * 1024 - 1)}, {"a": "é" * 131072}
    for annotations, found in ((fits, []), (exceeds, ["Too long: may not be more than 262144 bytes"])):
        sent = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "annotations": annotations}}
        assert [cause[1] for cause in causes(resource_of(sent), complete(resource_of(sent), sent))] == found


def test_every_rule_stands_for_a_served_kind() -> None:
    from pybernetes.api.validation.entry import _MODULE_OF

    assert set(_MODULE_OF) <= {resource.group_resource for resource in scheme.resources()}


@pytest.mark.parametrize(
    ("api_version", "kind", "rest", "labels", "finalizers"),
    [
        ("v1", "ConfigMap", {}, 4, 2),
        ("v1", "LimitRange", {"spec": {"limits": []}}, 3, 1),
        ("v1", "ServiceAccount", {}, 4, 2),
        ("policy/v1", "PodDisruptionBudget", {"spec": {}}, 2, 0),
        ("coordination.k8s.io/v1", "Lease", {"spec": {}}, 3, 0),
        ("node.k8s.io/v1", "RuntimeClass", {"handler": "h"}, 4, 0),
    ],
)
def test_changed_metadata_are_complained_of_at_each_look(
    api_version: str, kind: str, rest: dict[str, Any], labels: int, finalizers: int
) -> None:
    sent = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a", "resourceVersion": "1"}, **rest}
    resource = resource_of(sent)
    old = complete(resource, sent)

    def complaints(change: dict[str, Any]) -> int:
        return len(causes(resource, {**old, "metadata": {**old["metadata"], **change}}, old))

    assert (complaints({"labels": {"a": "b c"}}), complaints({"finalizers": ["plain"]})) == (labels, finalizers)


def a_rule(action: str, *codes: int) -> dict[str, Any]:
    return {"action": action, "exitCodes": {"operator": "In", "values": list(codes)}}


@pytest.mark.parametrize(
    ("policy", "own", "code", "allowed"),
    [
        ("Never", {}, 0, False),
        ("Never", {}, 1, False),
        ("OnFailure", {}, 0, False),
        ("OnFailure", {}, 1, True),
        ("Always", {}, 0, True),
        ("Never", {"restartPolicy": "Always"}, 0, True),
        ("Never", {"restartPolicy": "OnFailure"}, 0, False),
        ("Always", {"restartPolicy": "Never"}, 0, False),
        ("Never", {"restartPolicy": "Never", "restartPolicyRules": [a_rule("Restart", 42)]}, 42, True),
        ("Never", {"restartPolicy": "Never", "restartPolicyRules": [a_rule("Restart", 42)]}, 1, False),
        ("Never", {"restartPolicy": "Never", "restartPolicyRules": [a_rule("RestartAllContainers", 42)]}, 1, True),
    ],
)
def test_which_containers_may_run_again(policy: str, own: dict[str, Any], code: int, allowed: bool) -> None:
    spec = pod(restartPolicy=policy)
    spec["containers"][0] |= own
    sent = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "resourceVersion": "1"}, "spec": spec}
    resource = resource_of(sent)

    def of(state: dict[str, Any]) -> dict[str, Any]:
        status = {"name": "main", "image": "i", "imageID": "", "ready": False, "restartCount": 0, "state": state}
        return complete(resource, sent) | {"status": {"containerStatuses": [status]}}

    found = causes(resource, of({"running": {}}), of({"terminated": {"exitCode": code}}), "status")
    refused = ["status.containerStatuses[0].state", "Forbidden: may not be transitioned to non-terminated state"]
    assert found == ([] if allowed else [refused])


@pytest.mark.parametrize(
    ("schema", "field", "detail"),
    [
        (
            {"type": "array", "items": {"type": "string", "x-kubernetes-validations": [{"rule": "self == oldSelf"}]}},
            "s.properties[x].items.x-kubernetes-validations[0].rule",
            "oldSelf cannot be used on the uncorrelatable portion of the schema within s.properties[x]",
        ),
        (
            {"type": "string", "anyOf": [{"x-kubernetes-validations": [{"rule": "true"}]}]},
            "s.properties[x].anyOf[0].x-kubernetes-validations",
            "must be empty to be structural",
        ),
        ({"type": "string", "$schema": "x"}, "s", "OpenAPIV3Schema 'schema' is not supported"),
    ],
)
def test_what_a_schema_may_not_say(schema: dict[str, Any], field: str, detail: str) -> None:
    found = list(validate_structural({"type": "object", "properties": {"x": schema}}, FieldPath("s")))
    assert (field, detail) in [(one.field, one.detail) for one in found]


def fields_in_order(sent: dict[str, Any]) -> list[str]:
    """What is wrong with a new object, in the order in which it is told."""
    resource = resource_of(sent)
    return [error.field for error in validate(resource, complete(resource, sent))]


def wrong_in_status(status: dict[str, Any]) -> list[str]:
    sent = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "resourceVersion": "1"}, "spec": pod()}
    sent["spec"]["containers"][0]["resources"] = {"requests": {"e.test/gpu": "1"}, "limits": {"e.test/gpu": "1"}}
    made = complete(resource_of(sent), sent)
    new, old = made | {"status": status}, made | {"status": {}}
    return [error.field for error in validate(resource_of(sent), new, old, "status")]


@pytest.mark.parametrize(
    ("status", "found"),
    [
        (
            {"conditions": [{"type": "a b", "status": "True", "observedGeneration": -1}], "observedGeneration": -1},
            ["status.conditions[0].observedGeneration", "status.conditions[0].Type", "status.observedGeneration"],
        ),
        (
            {"podIPs": [{"ip": "x"}], "resourceClaimStatuses": [{"name": "c"}], "hostIPs": [{"ip": "192.0.2.3"}]},
            ["status.resourceClaimStatuses[0].name", "status.podIPs[0]", "status.hostIPs[0].ip"],
        ),
        (
            {"extendedResourceClaimStatus": {"requestMappings": [
                {"containerName": "no", "resourceName": "r", "requestName": "a"},
                {"containerName": "main", "resourceName": "cpu", "requestName": "B"},
                {"containerName": "main", "resourceName": "e.test/gpu", "requestName": "c"},
            ]}},
            [
                "status.extendedResourceClaimStatus.requestMappings[0].containerName",
                "status.extendedResourceClaimStatus.requestMappings[1].resourceName",
                "status.extendedResourceClaimStatus.requestName",
                "status.extendedResourceClaimStatus.resourceClaimName",
            ],
        ),
        (
            {"containerStatuses": [{
                "name": "main", "user": {"linux": {"uid": -1, "gid": 0}},
                "allocatedResourcesStatus": [
                    {"name": "cpu", "resources": [{"resourceID": "a", "health": "Healthy"}]},
                    {"name": "e.test/gpu", "resources": [{"resourceID": "a", "health": "?", "message": ""}] * 2},
                ],
            }]},
            [
                "status.containerStatuses[0].user.linux.uid",
                "status.containerStatuses[0].allocatedResourcesStatus[0].name",
                "status.containerStatuses[0].allocatedResourcesStatus[1].resources[0].health",
                "status.containerStatuses[0].allocatedResourcesStatus[1].resources[0].message",
                "status.containerStatuses[0].allocatedResourcesStatus[1].resources[1].health",
                "status.containerStatuses[0].allocatedResourcesStatus[1].resources[1].message",
                "status.containerStatuses[0].allocatedResourcesStatus[1].resources[1].resourceID",
            ],
        ),
        (
            {"ephemeralContainerStatuses": [{"name": "e", "allocatedResourcesStatus": [{"name": "x"}]}]},
            ["status.ephemeralContainerStatuses[0].allocatedResourcesStatus"],
        ),
    ],
)  # fmt: skip
def test_what_a_pods_status_may_say(status: dict[str, Any], found: list[str]) -> None:
    assert wrong_in_status(status) == found


def test_all_that_is_wrong_with_a_service_in_upstreams_order() -> None:
    ports = [{"port": 80, "nodePort": 31000, "protocol": "TCP", "targetPort": 80}] * 2
    annotations = {
        "service.beta.kubernetes.io/load-balancer-source-ranges": "x",
        "service.kubernetes.io/topology-mode": "a", "service.kubernetes.io/topology-aware-hints": "b",
    }  # fmt: skip
    sent = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "annotations": annotations},
        "spec": {"ports": ports, "sessionAffinity": "x", "externalIPs": ["x"]},
    }  # fmt: skip
    assert fields_in_order(sent) == [
        "metadata.annotations[service.kubernetes.io/topology-mode]",
        "spec.ports[0].name", "spec.ports[1].name", "spec.sessionAffinity", "spec.externalIPs[0]",
        "spec.ports[0].nodePort", "spec.ports[1].nodePort", "spec.ports[1].nodePort", "spec.ports[1]",
        "metadata.annotations[service.beta.kubernetes.io/load-balancer-source-ranges]",
        "metadata.annotations[service.beta.kubernetes.io/load-balancer-source-ranges]",
    ]  # fmt: skip


def test_ephemeral_containers_are_judged_like_others_and_then_as_what_they_are() -> None:
    container = {
        "name": "main", "image": "i", "targetContainerName": "no", "restartPolicy": "Always",
        "ports": [{"containerPort": 70000}], "livenessProbe": {"tcpSocket": {"port": 1}},
        "resources": {"limits": {"cpu": "-1"}}, "volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "a"}],
    }  # fmt: skip
    sent = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": pod(ephemeralContainers=[container])}
    found, path = fields_in_order(sent), "spec.ephemeralContainers[0]."
    assert [field.removeprefix(path) for field in found if field.startswith(path)] == [
        "ports[0].containerPort", "volumeMounts[0].name", "resources.limits[cpu]", "name",
        "targetContainerName", "ports", "resources", "restartPolicy", "livenessProbe", "volumeMounts[0].subPath",
    ]  # fmt: skip


def test_versions_of_a_definition_are_shown_in_their_internal_form() -> None:
    schema = {
        "type": "object", "required": ["a"],
        "properties": {"b": {"type": "array", "items": {"type": "string"}}, "a": {"additionalProperties": True}},
    }  # fmt: skip
    shown = shown_schema(schema)
    assert list(shown)[:5] == ["ID", "Schema", "Ref", "Description", "Type"]
    assert list(shown)[-3:] == ["XListType", "XMapType", "XValidations"]
    assert (shown["Type"], shown["Required"], shown["Enum"], shown["Nullable"]) == ("object", ["a"], None, False)
    assert list(shown["Properties"]) == ["a", "b"]
    assert shown["Properties"]["a"]["AdditionalProperties"] == {"Allows": True, "Schema": None}
    assert shown["Properties"]["b"]["Items"]["Schema"]["Type"] == "string"
    assert shown["Properties"]["b"]["Items"]["JSONSchemas"] is None


def test_restart_rules_have_limits() -> None:
    codes: dict[str, Any] = {"values": list(range(256))}
    rules = [{"action": "Restart", "exitCodes": codes}] * 21
    spec = pod(initContainers=[{"name": "a", "image": "i", "restartPolicy": "Never", "restartPolicyRules": rules}])
    ends = ("restartPolicyRules", "[0].exitCodes.operator", "[0].exitCodes.values")
    found = [error for error in created("v1", "Pod", spec=spec) if error[0].endswith(ends)]
    path = "spec.initContainers[0].restartPolicyRules"
    assert found == [
        [path, "Too many: 21: must have at most 20 items"],
        [f"{path}[0].exitCodes.operator", 'Unsupported value: "": supported values: "In", "NotIn"'],
        [f"{path}[0].exitCodes.values", "Too many: 256: must have at most 255 items"],
    ]
