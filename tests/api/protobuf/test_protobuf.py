"""Objects as protobuf: bytes worked out by hand from the field numbers, and round trips."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybernetes.api.protobuf import (
    EventReader,
    MessageError,
    ProtobufError,
    decode_object,
    encode_event,
    encode_object,
    has_message,
)
from pybernetes.api.protobuf.messages import message

EMPTY_META = "1200 1a00 2200 2a00 3200 3800 4200"
"""generateName, namespace, selfLink, uid, resourceVersion, generation, creationTimestamp: by value, always written."""


def hexed(*parts):
    return bytes.fromhex("".join(parts))


def envelope(api_version, kind, raw):
    meta = b"\x0a" + bytes([len(api_version)]) + api_version.encode() + b"\x12" + bytes([len(kind)]) + kind.encode()
    return b"k8s\x00\x0a" + bytes([len(meta)]) + meta + b"\x12" + bytes([len(raw)]) + raw + b"\x1a\x00\x22\x00"


@pytest.mark.parametrize(
    ("tree", "raw"),
    [
        (
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"b": "2", "a": "1"}},
            hexed("0a 11 0a0163", EMPTY_META, "12 06 0a0161 120131", "12 06 0a0162 120132"),
        ),
        (
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "s"},
                "data": {"k": "AAE="},
                "immutable": False,
            },
            hexed("0a 11 0a0173", EMPTY_META, "12 07 0a016b 12020001", "1a00", "2800"),
        ),
        (
            {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": "l", "creationTimestamp": "1970-01-01T00:01:00Z"},
                "spec": {"leaseDurationSeconds": -1, "renewTime": "1970-01-01T00:00:01.000002Z"},
            },
            hexed(
                "0a 15 0a016c 1200 1a00 2200 2a00 3200 3800 4204 083c 1000",
                "12 12 10 ffffffffffffffffff01 22 05 0801 10d00f",
            ),
        ),
    ],
)
def test_bytes(tree, raw):
    encoded = encode_object(tree)
    assert encoded == envelope(tree["apiVersion"], tree["kind"], raw)
    assert decode_object(encoded) == tree


@pytest.mark.parametrize(
    "spec",
    [
        {"ports": [{"port": 80, "targetPort": "web"}, {"port": 81, "targetPort": 8081}], "selector": {"a": "b"}},
        {"ports": [{"port": 80, "targetPort": 0, "appProtocol": ""}], "clusterIPs": ["10.0.0.1", ""]},
    ],
)
def test_numbers_or_strings(spec):
    tree = {"apiVersion": "v1", "kind": "Service", "metadata": {}, "spec": spec, "status": {"loadBalancer": {}}}
    assert decode_object(encode_object(tree)) == tree


def test_inlined_messages_are_flat_in_json():
    volume = {"name": "v", "configMap": {"name": "c", "defaultMode": 420}}
    probe = {"httpGet": {"path": "/", "port": "web"}, "periodSeconds": 3}
    container = {"name": "c", "image": "i", "livenessProbe": probe, "resources": {"limits": {"cpu": "1500m"}}}
    debugger = {"name": "d", "image": "i", "targetContainerName": "c", "resources": {}}
    spec = {"containers": [container], "ephemeralContainers": [debugger], "volumes": [volume]}
    tree = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec, "status": {}}
    assert decode_object(encode_object(tree)) == tree


def test_pointers_keep_zero_values_and_values_do_not():
    spec = {
        "replicas": 0,
        "selector": {},
        "template": {"metadata": {}, "spec": {"containers": [], "hostNetwork": False}},
    }
    tree = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {}, "spec": spec, "status": {}}
    found = decode_object(encode_object(tree))["spec"]
    assert found["replicas"] == 0
    assert "hostNetwork" not in found["template"]["spec"]
    assert found["template"]["spec"]["containers"] is None  # as upstream's JSON of a nil list that is always written


def test_free_values_travel_as_json():
    props = {
        "type": "object",
        "default": {"a": [1, None]},
        "additionalProperties": False,
        "properties": {
            "a": {"additionalProperties": {"type": "string"}, "$ref": "#/x", "x-kubernetes-int-or-string": True},
            "b": {"items": {"type": "string"}, "enum": [1, "x", None], "additionalProperties": True},
        },
    }
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": props}}
    names = {"plural": "ts", "kind": "T"}
    spec = {"group": "t.test", "names": names, "scope": "Namespaced", "versions": [version]}
    status = {"conditions": None, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": None}
    tree = {"metadata": {}, "spec": spec, "status": status}
    tree = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", **tree}
    assert decode_object(encode_object(tree)) == tree


def recorded():
    """Every object in the recorded answers of the patch tests, with real times for the masked ones."""
    for line in (Path(__file__).parent.parent / "patch" / "scenarios.jsonl").read_text().splitlines():
        body = json.loads(line.replace("<time>", "2026-01-02T03:04:05Z"))["res"]["body"]
        if "apiVersion" in body:
            yield body


def test_recorded_objects_come_back():
    kinds = set()
    for tree in recorded():
        assert decode_object(encode_object(tree)) == tree
        kinds.add(tree["kind"])
    assert {"ConfigMap", "Deployment", "Status", "Pod", "Scale", "Service"} <= kinds


def test_lists_and_meta_kinds():
    items = [{"metadata": {"name": "a"}, "data": {"k": "v"}}, {"metadata": {"name": "b"}}]
    tree = {"apiVersion": "v1", "kind": "ConfigMapList", "metadata": {"resourceVersion": "5"}, "items": items}
    assert decode_object(encode_object(tree)) == tree
    empty = {"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": []}
    assert decode_object(encode_object(empty)) == empty
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0, "preconditions": {"uid": "u"}}
    assert decode_object(encode_object(options)) == options


def test_what_has_no_message():
    assert has_message("v1", "Pod")
    assert has_message("meta.k8s.io/v1", "PartialObjectMetadataList")
    assert not has_message("meta.k8s.io/v1", "Table")
    assert not has_message("t.test/v1", "Thing")
    with pytest.raises(ProtobufError, match="Kind=Thing has no protobuf message"):
        encode_object({"apiVersion": "t.test/v1", "kind": "Thing"})


def test_watch_events_come_whole_however_they_are_cut():
    objects = [encode_object({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": n}}) for n in ("a", "b")]
    stream = encode_event("ADDED", objects[0]) + encode_event("DELETED", objects[1])
    assert stream[:6] == hexed("000000", bytes([len(objects[0]) + 11]).hex(), "0a05")
    for size in (1, 7, len(stream)):
        reader, found = EventReader(), []
        for start in range(0, len(stream), size):
            found += reader.feed(stream[start : start + size])
        assert found == [("ADDED", objects[0]), ("DELETED", objects[1])]


def test_a_watch_event_of_absurd_size_is_refused():
    with pytest.raises(ProtobufError, match="too large"):
        list(EventReader().feed(b"\xff\xff\xff\xff"))


def test_bodies_without_the_prefix():
    with pytest.raises(ProtobufError, match="does not appear to be a protobuf message"):
        decode_object(b'{"kind":"Pod"}')


def test_nesting_without_end_is_refused():
    raw = b""
    for _ in range(3000):  # JSONSchemaProps.not
        size = len(raw)
        length = (
            bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7 & 127 | (128 if size >> 14 else 0)])
        )
        raw = b"\xda\x01" + length + (bytes([size >> 14]) if size >> 14 else b"") + raw
    with pytest.raises((RecursionError, ProtobufError)):
        message("k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps").decode(raw, 0, len(raw))


SAMPLE = encode_object(
    {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "labels": {"a": "b"}, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 1}], "resources": {}}]},
        "status": {},
    }
)


@settings(max_examples=300)
@given(st.integers(0, len(SAMPLE) - 1), st.integers(0, 255), st.integers(0, len(SAMPLE)))
def test_damaged_bytes_are_refused_by_name_or_read(place, byte, end):
    data = bytearray(SAMPLE)
    data[place] = byte
    with contextlib.suppress(ProtobufError):
        assert isinstance(decode_object(bytes(data[:end])), dict)


OBJECT = bytes.fromhex("0a030a0163")
"""A ConfigMap that has a name."""


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("78ff", "unexpected EOF"),
        ("7a05 61", "unexpected EOF"),
        ("79313233", "unexpected EOF"),
        ("7b", "unexpected EOF"),
        ("78" + "ff" * 10 + "01", "proto: integer overflow"),
        ("7a" + "ff" * 9 + "01", "proto: negative length found during unmarshaling"),
        ("7e", "proto: illegal wireType 6"),
        ("0001", "proto: ConfigMap: illegal tag 0 (wire type 0)"),
        ("7c", "proto: ConfigMap: wiretype end group for non-group"),
        ("0801", "proto: wrong wireType = 0 for field ObjectMeta"),
        ("1001", "proto: wrong wireType = 0 for field Data"),
    ],
)
def test_messages_that_are_none_are_refused_in_gos_words(more, words):
    with pytest.raises(MessageError) as refused:
        decode_object(envelope("v1", "ConfigMap", OBJECT + bytes.fromhex(more)))
    assert (str(refused.value), refused.value.api_version, refused.value.kind) == (words, "v1", "ConfigMap")


@pytest.mark.parametrize(
    "more", ["7a0178", "7805", "79" + "00" * 8, "7d" + "00" * 4, "7b08017c", "7b7b7c7c", "fa7f0178"]
)
def test_fields_that_nobody_knows_are_passed_over(more):
    tree = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    assert decode_object(envelope("v1", "ConfigMap", OBJECT + bytes.fromhex(more))) == tree


@pytest.mark.parametrize(("data", "words"), [(b"", "empty data"), (b"k8s\0", "empty body"), (b"k8s\0\x0a", "unexpected EOF"), (b"k8s\0\x08\x01", "proto: wrong wireType = 0 for field TypeMeta")])  # fmt: skip
def test_envelopes_that_are_none(data, words):
    with pytest.raises(ProtobufError) as refused:
        decode_object(data)
    assert str(refused.value) == words
    assert not isinstance(refused.value, MessageError)


def test_what_an_envelope_does_not_say_is_known_otherwise():
    raw = b"k8s\0\x12" + bytes([len(OBJECT)]) + OBJECT
    assert decode_object(raw, "v1", "ConfigMap") == {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
