"""Decoding: which fields survive in which form, and Go's words for what does not fit."""

from base64 import b64decode, b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import decode
from pybernetes.api.decode.base64 import canonical_base64
from pybernetes.api.decode.restored import restored
from pybernetes.api.schema import schema_of


def decoded(api_version: str, kind: str, **fields: Any) -> dict[str, Any]:
    return decode.decode(schema_of(api_version, kind), {"apiVersion": api_version, "kind": kind, **fields}).tree


def pod(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}


def refused(tree: dict[str, Any]) -> str:
    with pytest.raises(decode.DecodeError) as caught:
        decode.decode(schema_of(tree["apiVersion"], tree["kind"]), tree)
    return str(caught.value)


def test_nulls_and_empty_values_are_dropped_and_told_pointers_are_kept() -> None:
    tree = decode.decode(
        schema_of("v1", "Pod"),
        pod(
            containers=[{"name": "c", "image": "", "args": [], "env": [{"name": "A", "value": ""}]}],
            nodeName=None,
            hostNetwork=False,
            automountServiceAccountToken=False,
            volumes=[{"name": "v", "emptyDir": {}}],
            nodeSelector={},
        ),
    ).tree
    assert tree["spec"] == {
        "containers": [{"name": "c", "env": [{"name": "A"}], "resources": {}}],
        "automountServiceAccountToken": False,
        "volumes": [{"name": "v", "emptyDir": {}}],
    }


def test_fields_that_are_always_written_are_written() -> None:
    assert decoded("apps/v1", "Deployment")["spec"] == {
        "selector": None,
        "strategy": {},
        "template": {"metadata": {}, "spec": {"containers": None}},
    }
    assert decoded("v1", "Service")["status"] == {"loadBalancer": {}}
    assert decoded("rbac.authorization.k8s.io/v1", "ClusterRole")["rules"] is None


def test_zero_values_are_not_shared() -> None:
    first, second = decoded("v1", "Pod"), decoded("v1", "Pod")
    first["spec"]["containers"] = [1]
    first["metadata"]["name"] = "x"
    assert second["spec"] == {"containers": None}
    assert second["metadata"] == {}


def test_the_input_is_not_changed() -> None:
    tree = pod(containers=[{"name": "c", "resources": {"limits": {"cpu": "1000m"}}}], nosuch=1)
    out = decode.decode(schema_of("v1", "Pod"), tree).tree
    assert tree["spec"]["nosuch"] == 1
    assert tree["spec"]["containers"][0]["resources"]["limits"] == {"cpu": "1000m"}
    assert out["spec"]["containers"][0]["resources"]["limits"] == {"cpu": "1"}


def test_null_in_lists_and_maps_is_a_zero_value() -> None:
    assert decoded("v1", "ConfigMap", data={"a": None})["data"] == {"a": ""}
    assert decode.decode(schema_of("v1", "Pod"), pod(containers=[None])).tree["spec"]["containers"] == [
        {"name": "", "resources": {}}
    ]


def test_unknown_fields_are_dropped_and_named() -> None:
    tree = pod(containers=[{"name": "c"}, {"name": "d", "nope": {"a": 1}}], foo=1)
    found = decode.decode(schema_of("v1", "Pod"), tree | {"bar": []})
    assert found.unknown == ["spec.containers[1].nope", "spec.foo", "bar"]
    assert "foo" not in found.tree["spec"]
    assert decode.field_warnings(found.unknown[1:2]) == ['unknown field "spec.foo"']


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (pod(hostUsers="x"), "json: cannot unmarshal string into Go struct field PodSpec.spec.hostUsers of type bool"),
        (
            pod(containers=[{"workingDir": 5}]),
            "json: cannot unmarshal number into Go struct field Container.spec.containers.workingDir of type string",
        ),
        (
            pod(containers={}),
            "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container",
        ),
        (
            pod(priority=1.5),
            "json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.priority of type int32",
        ),
        (
            pod(priority=2**31),
            "json: cannot unmarshal number 2147483648 into Go struct field PodSpec.spec.priority of type int32",
        ),
        (
            pod(restartPolicy=1),
            "json: cannot unmarshal number into Go struct field PodSpec.spec.restartPolicy of type v1.RestartPolicy",
        ),
        (
            pod(containers=[{"resources": {"limits": []}}]),
            "json: cannot unmarshal array into Go struct field "
            "ResourceRequirements.spec.containers.resources.limits of type v1.ResourceList",
        ),
        (
            pod(containers=[{"securityContext": {"capabilities": {"add": "x"}}}]),
            "json: cannot unmarshal string into Go struct field "
            "Capabilities.spec.containers.securityContext.capabilities.add of type []v1.Capability",
        ),
        (pod(priority=True), "json: cannot unmarshal bool into Go struct field PodSpec.spec.priority of type int32"),
        (
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"labels": "x"}},
            "json: cannot unmarshal string into Go struct field ObjectMeta.metadata.labels of type map[string]string",
        ),
        (
            {"apiVersion": "v1", "kind": "ConfigMap", "data": {"k": 1}},
            "json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
        ),
        ({"apiVersion": "v1", "kind": "ConfigMap", "binaryData": {"k": "!"}}, "illegal base64 data at input byte 0"),
        (
            pod(containers=[{"resources": {"limits": {"cpu": "ten"}}}]),
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        (
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"creationTimestamp": "yesterday"}},
            'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"',
        ),
        # What types refuse that read themselves comes before what stands before it.
        (
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": [], "labels": 5, "creationTimestamp": "x"}},
            'parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"',
        ),
        (
            pod(containers=[{"name": 1, "ports": {}}, {"livenessProbe": {"tcpSocket": {"port": []}}}]),
            "json: cannot unmarshal array into Go struct field "
            "TCPSocketAction.spec.containers.livenessProbe.ProbeHandler.tcpSocket.port of type int32",
        ),
        (
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": [], "labels": 5}},
            "json: cannot unmarshal array into Go struct field ObjectMeta.metadata.name of type string",
        ),
        (
            {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": 1}, "binaryData": {"k": "!"}},
            "json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
        ),
        (
            {"apiVersion": "v1", "kind": "ConfigMap", "binaryData": {"k": ["v"]}},
            "json: cannot unmarshal string into Go struct field ConfigMap.binaryData of type uint8",
        ),
        (
            {"apiVersion": "v1", "kind": "ConfigMap", "binaryData": {"k": [256]}},
            "json: cannot unmarshal number 256 into Go struct field ConfigMap.binaryData of type uint8",
        ),
    ],
)
def test_what_does_not_fit(tree: dict[str, Any], message: str) -> None:
    assert refused(tree) == message


def test_bytes_may_be_a_list_of_numbers() -> None:
    made = decode.decode(schema_of("v1", "Secret"), {"data": {"a": [104, 105, None], "b": []}})
    assert made.tree["data"] == {"a": "aGkA", "b": ""}


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("YQ==", None), ("", None), ("YW\nJj", None), ("!", 0), ("not base64!", 3), ("YQ=", 3), ("YQ", 0), ("YWJjY", 4),
        ("YQ==x", 4), ("=", 0), ("YQ=x", 2),
    ],
)  # fmt: skip
def test_where_base64_stops(text: str, offset: int | None) -> None:
    assert decode.illegal_base64(text) == offset


@given(st.binary(max_size=40))
def test_base64_is_canonical(raw: bytes) -> None:
    text = b64encode(raw).decode()
    assert canonical_base64(text) == text
    assert b64decode(canonical_base64(text[:3] + "\n" + text[3:])) == raw


def test_duplicate_fields_are_named_once_each() -> None:
    text = '{"a":1,"b":{"c":1,"c":2,"c":3},"l":[{},{"x":1,"x":2}],"a":3}'
    assert decode.duplicate_fields(text) == ["b.c", "l[1].x", "a"]
    assert decode.duplicate_fields('{"a":{"b":1},"c":{"b":1}}') == []


def test_unknown_and_repeated_fields_are_met_in_the_order_of_the_text() -> None:
    text = b'{"spec":{"foo":1,"replicas":2,"replicas":3,"bar":[]},"spec":{}}'
    found = decode.in_text_order(text, {"spec.bar", "spec.foo"})
    assert found == [("spec.foo", False), ("spec.replicas", True), ("spec.bar", False), ("spec", True)]


@pytest.mark.parametrize(
    ("api_version", "kind", "tree", "words"),
    [
        ("v1", "Event", {"eventTime": 5}, "number into Go struct field Event.eventTime of type string"),
        (
            "v1", "Service", {"spec": {"ports": [{"targetPort": True}]}},
            "bool into Go struct field ServicePort.spec.ports.targetPort of type int32",
        ),
        (
            "certificates.k8s.io/v1", "CertificateSigningRequest", {"spec": {"usages": {}}},
            "object into Go struct field CertificateSigningRequestSpec.spec.usages of type []v1.KeyUsage",
        ),
        (
            "certificates.k8s.io/v1", "CertificateSigningRequest", {"spec": {"usages": [5]}},
            "number into Go struct field CertificateSigningRequestSpec.spec.usages of type v1.KeyUsage",
        ),
        (
            "certificates.k8s.io/v1", "CertificateSigningRequest", {"spec": {"extra": {"a": "b"}}},
            "string into Go struct field CertificateSigningRequestSpec.spec.extra of type v1.ExtraValue",
        ),
        (
            "v1", "PersistentVolume", {"spec": {"nfs": {"server": 5}}},
            "number into Go struct field NFSVolumeSource.spec.PersistentVolumeSource.nfs.server of type string",
        ),
    ],
)  # fmt: skip
def test_wrong_types_are_told_as_go_calls_them(api_version: str, kind: str, tree: dict[str, Any], words: str) -> None:
    with pytest.raises(decode.DecodeError) as caught:
        decode.decode(schema_of(api_version, kind), tree)
    assert str(caught.value) == f"json: cannot unmarshal {words}"


@pytest.mark.parametrize(
    ("kind", "tree", "words"),
    [
        ("ConfigMap", {"kind": 5}, "cannot convert int64 to string"),
        ("ConfigMap", {"data": "x"}, "cannot restore map from string"),
        ("ConfigMap", {"data": {"a": {}}}, "unrecognized type: string"),
        ("ConfigMap", {"immutable": "x"}, "unrecognized type: bool"),
        ("ConfigMap", {"metadata": []}, "cannot restore struct from: slice"),
        ("Secret", {"data": {"a": 5}}, "cannot restore slice from int64"),
        ("Secret", {"data": {"a": "***"}}, "error decoding from json: illegal base64 data at input byte 0"),
        ("Service", {"spec": {"ports": {}}}, "cannot restore slice from map"),
        ("Service", {"spec": {"ports": [{"port": "80"}]}}, "unrecognized type: int32"),
        ("Service", {"spec": {"ports": [{"port": 1.5}]}}, "cannot convert float64 to int32"),
        ("Service", {"spec": {"ports": [{"targetPort": 1.5}]}}, "json: cannot unmarshal number 1.5 into Go value of type int32"),
    ],
)  # fmt: skip
def test_values_that_were_never_text_are_refused_in_other_words(kind: str, tree: dict[str, Any], words: str) -> None:
    with pytest.raises(decode.DecodeError) as caught:
        restored(schema_of("v1", kind), tree)
    assert str(caught.value) == words


def test_whole_numbers_among_values_are_integers_however_large() -> None:
    made = restored(schema_of("v1", "Service"), {"spec": {"ports": [{"port": 80.0}, {"port": 2**31}]}})
    assert made == {"spec": {"ports": [{"port": 80}, {"port": -(2**31)}]}}


def test_structs_without_fields_hold_nothing() -> None:
    schema = schema_of("apiextensions.k8s.io/v1", "CustomResourceDefinition")
    made = decode.decode(schema, {"spec": {"versions": [{"name": "v1", "subresources": {"status": {"x": 1}}}]}})
    assert made.tree["spec"]["versions"][0]["subresources"] == {"status": {}}
    assert made.unknown == ["spec.versions[0].subresources.status.x"]


def test_empty_lists_stand_where_a_list_is_always_written() -> None:
    role = schema_of("rbac.authorization.k8s.io/v1", "Role")
    assert [decode.decode(role, tree).tree["rules"] for tree in ({"rules": []}, {})] == [[], None]


def test_an_empty_list_is_there_until_it_is_stored() -> None:
    role = schema_of("rbac.authorization.k8s.io/v1", "Role")
    sent = decode.decode(role, {"metadata": {"name": "r"}, "rules": []})
    assert (sent.tree["rules"], sent.has_empty, sent.unknown) == ([], True, [])
    stored = decode.emptied(role, sent.tree)
    assert stored["rules"] is None
    assert stored["metadata"] is sent.tree["metadata"]
    assert sent.tree["rules"] == []
    other = decode.decode(role, {"metadata": {"name": "r"}, "nosuch": 1})
    assert (other.has_empty, other.unknown) == (False, ["nosuch"])
    slices = schema_of("discovery.k8s.io/v1", "EndpointSlice")
    made = decode.decode(slices, {"metadata": {"name": "s"}, "endpoints": [{"addresses": []}], "ports": []})
    assert made.has_empty
    kept = decode.emptied(slices, made.tree)
    assert (kept["endpoints"], kept["ports"]) == ([{"addresses": None, "conditions": {}}], None)
