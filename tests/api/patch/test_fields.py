"""Laws of field sets, checked against plain sets of paths."""

import json

from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api.patch.fields import (
    MEMBER,
    closed,
    difference,
    has,
    intersection,
    of_paths,
    ordered,
    paths,
    union,
    without,
)
from pybernetes.api.schema import schema_of

PATHS = st.frozensets(
    st.lists(st.sampled_from(["f:a", "f:b", 'k:{"n":1}']), min_size=1, max_size=4).map(tuple), max_size=8
)


def tree(members):
    out = {}
    for path in members:
        one = MEMBER
        for element in reversed(path):
            one = {element: one}
        out = union(out, one)
    return out


def members(fields, prefix=()):
    """The set of paths that a tree stands for, read off without the functions under test."""
    found = set()
    for element, below in fields.items():
        if element == ".":
            continue
        path = (*prefix, element)
        if not below or "." in below:
            found.add(path)
        found |= members(below, path)
    return found


@given(PATHS)
def test_a_set_holds_what_was_put_in(a):
    assert members(tree(a)) == a
    assert all(has(tree(a), path) for path in a)


@given(PATHS, PATHS)
def test_union(a, b):
    assert members(union(tree(a), tree(b))) == a | b


@given(PATHS, PATHS)
def test_difference(a, b):
    assert members(difference(tree(a), tree(b))) == a - b


@given(PATHS, PATHS)
def test_intersection(a, b):
    assert members(intersection(tree(a), tree(b))) == a & b


@given(PATHS, PATHS)
def test_without_takes_what_is_below_too(a, b):
    kept = {path for path in a if not any(path[: len(gone)] == gone for gone in b)}
    assert members(without(tree(a), tree(b))) == kept


@given(PATHS, PATHS)
def test_equal_sets_have_one_form(a, b):
    assert difference(union(tree(a), tree(b)), tree(b)) == tree(a - b)
    assert intersection(tree(a), tree(a)) == tree(a)


@given(PATHS, PATHS)
def test_arguments_stay_as_they_were(a, b):
    left, right = tree(a), tree(b)
    union(left, right), difference(left, right), intersection(left, right), without(left, right)
    assert (members(left), members(right)) == (a, b)


def test_paths_are_told_as_messages_show_them():
    fields = {
        "f:spec": {
            "f:containers": {'k:{"name":"main"}': {".": {}, "f:args": {}}},
            "f:ports": {'k:{"port":80,"protocol":"TCP"}': {}},
        },
        "f:metadata": {"f:finalizers": {'v:"a/b"': {}}, "f:labels": {"f:app.kubernetes.io/name": {}}},
    }
    assert list(paths(fields)) == [
        '.metadata.finalizers[="a/b"]',
        ".metadata.labels.app.kubernetes.io/name",
        '.spec.containers[name="main"]',
        '.spec.containers[name="main"].args',
        '.spec.ports[port=80,protocol="TCP"]',
    ]


def test_closing_adds_the_declared_fields_on_the_way():
    schema = schema_of("v1", "ConfigMap")
    assert closed(of_paths("data.a"), schema) == {"f:data": {".": {}, "f:a": {}}}


def test_a_set_is_stored_in_one_order() -> None:
    mixed = {"k:{}": {}, "f:b": {"f:z": {}, ".": {}, "f:a": {"v:1": {}, ".": {}}}, "f:a": {}}
    assert json.dumps(ordered(mixed)) == json.dumps(
        {"f:a": {}, "f:b": {".": {}, "f:a": {".": {}, "v:1": {}}, "f:z": {}}, "k:{}": {}}
    )
