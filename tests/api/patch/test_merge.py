"""RFC 7396: its own examples, and laws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api.patch.merge import merge_patch


@pytest.mark.parametrize(
    ("document", "patch", "expected"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_examples_of_the_rfc(document, patch, expected):
    before = repr(document)
    assert merge_patch(document, patch) == expected
    assert repr(document) == before


JSON = st.recursive(
    st.integers(0, 3) | st.sampled_from(["", "x"]) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=8,
)
OBJECT = st.dictionaries(st.sampled_from("abcd"), JSON, max_size=4)


@given(OBJECT)
def test_an_empty_patch_is_identity(document):
    assert merge_patch(document, {}) == document


@given(OBJECT, OBJECT)
def test_a_patch_twice_is_a_patch_once(document, patch):
    once = merge_patch(document, patch)
    assert merge_patch(once, patch) == once


@given(OBJECT)
def test_nulls_remove_everything(document):
    assert merge_patch(document, dict.fromkeys(document)) == {}
