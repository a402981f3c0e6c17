"""RFC 6902, its appendix among others, and the bounds."""

import pytest

from pybernetes.api.errors import StatusError
from pybernetes.api.patch.json_patch import MAX_COPY_BYTES, MAX_OPERATIONS, json_patch


def op(kind, path, **rest):
    return {"op": kind, "path": path, **rest}


@pytest.mark.parametrize(
    ("document", "operations", "expected"),
    [
        ({"foo": "bar"}, [op("add", "/baz", value="qux")], {"baz": "qux", "foo": "bar"}),
        ({"foo": ["bar", "baz"]}, [op("add", "/foo/1", value="qux")], {"foo": ["bar", "qux", "baz"]}),
        ({"foo": [1]}, [op("add", "/foo/-", value=[2])], {"foo": [1, [2]]}),
        ({"foo": [1, 2]}, [op("add", "/foo/-1", value=3)], {"foo": [1, 2, 3]}),
        ({"a": 1, "b": 2}, [op("remove", "/a")], {"b": 2}),
        ({"a": [1, 2, 3]}, [op("remove", "/a/-2")], {"a": [1, 3]}),
        ({"a": 1}, [op("replace", "/a", value=None)], {"a": None}),
        ({"a": [1, 2]}, [op("replace", "/a/-1", value=9)], {"a": [1, 9]}),
        ({"a": 1}, [op("replace", "", value={"b": 2})], {"b": 2}),
        ({"a": {"b": 1}, "c": {}}, [{"op": "move", "from": "/a/b", "path": "/c/b"}], {"a": {}, "c": {"b": 1}}),
        ({"a": ["x", "y", "z"]}, [{"op": "move", "from": "/a/0", "path": "/a/2"}], {"a": ["y", "z", "x"]}),
        ({"a": [1], "b": 0}, [{"op": "copy", "from": "/a", "path": "/b"}], {"a": [1], "b": [1]}),
        ({"a/b": 1, "m~n": 2}, [op("test", "/a~1b", value=1), op("test", "/m~0n", value=2)], {"a/b": 1, "m~n": 2}),
        ({"": 1}, [op("replace", "/", value=2)], {"": 2}),
        ({"a": None}, [op("test", "/a", value=None)], {"a": None}),
        ({"a": 1}, [op("test", "/nosuch", value=None)], {"a": 1}),
        ({"a": 1}, None, {"a": 1}),
    ],
)
def test_operations(document, operations, expected):
    before = repr(document)
    assert json_patch(document, operations) == expected
    assert repr(document) == before


def test_what_a_field_lacks_reads_as_null_for_replace_and_copy():
    """As upstream's library has it."""
    assert json_patch({"a": 1}, [op("replace", "/nosuch", value=2)]) == {"a": 1, "nosuch": 2}
    assert json_patch({"a": 1}, [{"op": "copy", "from": "/nosuch", "path": "/b"}]) == {"a": 1, "b": None}


@pytest.mark.parametrize(
    "operation",
    [
        op("remove", "/nosuch"),
        op("add", "/nosuch/deep", value=1),
        op("add", "/list/3", value=1),
        op("add", "/list/x", value=1),
        op("remove", "/list/2"),
        op("add", "/scalar/deep", value=1),
        op("add", "", value=1),
        op("replace", "", value=1),
        op("test", "/list/0", value=2),
        op("test", "/list/0", value=1.0),
        op("test", "/list/0", value=True),
        op("test", "/nosuch/deep", value=None),
        op("test", "/scalar", value=None),
        op("frobnicate", "/list"),
        {"path": "/list"},
        {"op": "add", "value": 1},
        {"op": "move", "from": "/nosuch", "path": "/a"},
        None,
    ],
)
def test_what_does_not_apply(operation):
    with pytest.raises(StatusError) as caught:
        json_patch({"list": [1, 2], "scalar": "x"}, [op("add", "/ok", value=1), operation])
    assert (caught.value.code, caught.value.reason, caught.value.details) == (422, "Invalid", {})
    assert caught.value.message == "the server rejected our request due to an error in our request"


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        (
            {"op": "add"},
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
        ),
        ("x", "error decoding patch: json: cannot unmarshal string into Go value of type []handlers.jsonPatchOp"),
        ([1], "error decoding patch: json: cannot unmarshal number into Go value of type handlers.jsonPatchOp"),
        ([[]], "error decoding patch: json: cannot unmarshal array into Go value of type handlers.jsonPatchOp"),
    ],
)
def test_what_is_no_patch(patch, message):
    with pytest.raises(StatusError) as caught:
        json_patch({}, patch)
    assert (caught.value.code, caught.value.message) == (400, message)


def test_the_number_of_operations_is_bounded():
    json_patch({"a": 1}, [op("test", "/a", value=1)] * MAX_OPERATIONS)
    with pytest.raises(StatusError) as caught:
        json_patch({"a": 1}, [op("test", "/a", value=1)] * (MAX_OPERATIONS + 1))
    assert caught.value.code == 413
    assert "The allowed maximum operations in a JSON patch is 10000, got 10001" in caught.value.message


def test_copies_cannot_grow_a_document_without_bound():
    seed = {"a": "x" * (MAX_COPY_BYTES // 4)}
    double = [{"op": "copy", "from": "/a", "path": f"/b{n}"} for n in range(20)]
    with pytest.raises(StatusError) as caught:
        json_patch(seed, double)
    assert caught.value.code == 422
