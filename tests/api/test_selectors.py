"""Label and field selectors: what they match, and upstream's words for what is refused."""

import pytest

from pybernetes.api.selectors import fields, labels
from pybernetes.api.selectors.labels import EVERYTHING, NOTHING, SelectorError
from pybernetes.api.types import meta_v1

LABELS = {"app": "web", "tier": "front", "size": "5", "empty": ""}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True), ("app=web", True), ("app==web", True), ("app=db", False), ("app!=db", True), ("none!=x", True),
        ("app", True), ("none", False), ("!none", True), ("!app", False), ("app in (web,db)", True), ("app in (db)", False),
        ("none in (x)", False), ("app notin (db)", True), ("none notin (x)", True), ("app notin (web)", False),
        ("size>4", True), ("size>5", False), ("size<6", True), ("app>1", False), ("empty=", True), ("empty in ()", True),
        ("app=web,tier=back", False), (" app = web , tier ", True), ("app in (in,web)", True),
    ],
)  # fmt: skip
def test_text_form(text: str, matches: bool) -> None:
    assert labels.parse(text).matches(LABELS) is matches


@pytest.mark.parametrize("text", ["a=b", "a,!b,c in (d,e),f notin (g),h!=i,j>1", "a in (,b)", ""])
def test_text_form_reads_back(text: str) -> None:
    assert str(labels.parse(text)) == text
    assert labels.parse(str(labels.parse(text))) == labels.parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bad(", "unable to parse requirement: found '(', expected: in, notin, =, ==, !=, gt, lt"),
        ("a,", "found '', expected: identifier after ','"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
        ("=x", "found '=', expected: !, identifier, or 'end of string'"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a in (b c)", "unable to parse requirement: found 'c', expected: ',' or ')'"),
        (
            "a<x",
            'unable to parse requirement: values[0]: Invalid value: "x": '
            "for 'Gt', 'Lt' operators, the value must be an integer",
        ),
    ],
)
def test_what_the_grammar_refuses(text: str, message: str) -> None:
    with pytest.raises(SelectorError) as caught:
        labels.parse(text)
    assert str(caught.value) == message


def test_struct_and_tree_are_the_same_selector() -> None:
    struct = meta_v1.LabelSelector(
        match_labels={"app": "web"},
        match_expressions=[
            meta_v1.LabelSelectorRequirement(key="tier", operator="In", values=["front", "back"]),
            meta_v1.LabelSelectorRequirement(key="none", operator="DoesNotExist"),
        ],
    )
    tree = {
        "matchLabels": {"app": "web"},
        "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["front", "back"]},
            {"key": "none", "operator": "DoesNotExist"},
        ],
    }
    assert labels.from_struct(struct) == labels.from_tree(tree)
    assert str(labels.from_struct(struct)) == "app=web,!none,tier in (back,front)"
    assert labels.from_struct(struct).matches(LABELS)


def test_none_selects_nothing_and_empty_everything() -> None:
    assert labels.from_struct(None) is NOTHING
    assert not NOTHING.matches({})
    assert not NOTHING.is_everything
    assert labels.from_tree({}) == EVERYTHING


def test_an_operator_that_does_not_exist() -> None:
    with pytest.raises(SelectorError, match='"Near" is not a valid label selector operator'):
        labels.from_tree({"matchExpressions": [{"key": "a", "operator": "Near"}]})


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("metadata.name=a", True), ("metadata.name==a", True), ("metadata.name!=a", False), ("spec.nodeName=", True),
        ("metadata.name=a,spec.nodeName!=n", True), ("metadata.name=b", False), ("", True),
    ],
)  # fmt: skip
def test_field_selectors(text: str, matches: bool) -> None:
    assert fields.parse(text).matches({"metadata.name": "a", "spec.nodeName": ""}) is matches


def test_escapes_in_field_values() -> None:
    selector = fields.parse(r"a=x\,y\=z\\")
    assert selector.exact("a") == "x,y=z\\"
    assert fields.parse(str(selector)) == selector
    assert selector.exact("b") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("junk", "invalid selector: 'junk'; can't understand 'junk'"),
        (
            "a=b,spec.nodeName in (a)",
            "invalid selector: 'a=b,spec.nodeName in (a)'; can't understand 'spec.nodeName in (a)'",
        ),
        ("a=\\x", "invalid field selector: invalid escape sequence: \\x"),
    ],
)
def test_field_selectors_that_are_refused(text: str, message: str) -> None:
    with pytest.raises(SelectorError) as caught:
        fields.parse(text)
    assert str(caught.value) == message
