"""Status errors and field errors in upstream's words."""

import pytest

from pybernetes.api import errors, field
from pybernetes.api.field import ROOT, Path


def test_not_found() -> None:
    error = errors.not_found("apps", "deployments", "web")
    assert error.status == {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": 'deployments.apps "web" not found', "reason": "NotFound",
        "details": {"name": "web", "group": "apps", "kind": "deployments"}, "code": 404,
    }  # fmt: skip
    assert errors.is_not_found(error)
    assert not errors.is_conflict(error)


def test_invalid_with_one_cause() -> None:
    error = errors.invalid("", "Pod", "p", [field.required(Path("spec").child("containers"))])
    assert error.message == 'Pod "p" is invalid: spec.containers: Required value'
    assert error.causes == [{"reason": "FieldValueRequired", "message": "Required value", "field": "spec.containers"}]


def test_invalid_tells_equal_errors_once_but_keeps_their_causes() -> None:
    twice = field.invalid(Path("a"), 1, "no")
    error = errors.invalid("x.io", "Thing", "t", [twice, twice, field.duplicate(Path("b").index(2), "v")])
    assert error.message == 'Thing.x.io "t" is invalid: [a: Invalid value: 1: no, b[2]: Duplicate value: "v"]'
    assert len(error.causes) == 3


@pytest.mark.parametrize(
    ("resource", "name", "message"),
    [
        ("", "", "forbidden: why"),
        ("pods", "", "pods is forbidden: why"),
        ("pods", "p", 'pods "p" is forbidden: why'),
    ],
)
def test_forbidden(resource: str, name: str, message: str) -> None:
    assert errors.forbidden("", resource, name, "why").message == message


def test_conflict() -> None:
    assert errors.conflict("", "configmaps", "a").message == (
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )


def test_a_status_makes_its_error_again() -> None:
    sent = errors.too_many_requests("slow down", 10, [{"reason": "DisruptionBudget", "message": "none left"}])
    received = errors.from_status(sent.status)
    assert received.status == sent.status
    assert received.retry_after_seconds == 10


def test_a_status_without_a_code_takes_that_of_the_response() -> None:
    assert errors.from_status({"kind": "Status", "message": "x"}, 502).code == 502


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (field.required(Path("a"), "must be set"), "a: Required value: must be set"),
        (field.invalid(Path("a"), "x", "no"), 'a: Invalid value: "x": no'),
        (field.invalid(Path("a"), 0, "no"), "a: Invalid value: 0: no"),
        (field.invalid(Path("a"), True, "no"), "a: Invalid value: true: no"),
        (field.invalid(Path("a"), None, "no"), "a: Invalid value: null: no"),
        (field.invalid(Path("a"), {"k": "a<b>"}, "no"), 'a: Invalid value: {"k":"a\\u003cb\\u003e"}: no'),
        (field.invalid(Path("a"), field.OMITTED, "no"), "a: Invalid value: no"),
        (field.not_supported(Path("a"), "x", ["B", "A"]), 'a: Unsupported value: "x": supported values: "B", "A"'),
        (field.forbidden(Path("a"), "no"), "a: Forbidden: no"),
        (field.too_long(Path("a"), 63), "a: Too long: may not be more than 63 bytes"),
        (field.too_many(Path("a"), 9, 8), "a: Too many: 9: must have at most 8 items"),
        (field.not_found(Path("a"), "v"), 'a: Not found: "v"'),
        (field.required(ROOT, "x"), "<nil>: Required value: x"),
    ],
)
def test_words(error: field.FieldError, text: str) -> None:
    assert str(error) == text


def test_paths() -> None:
    path = Path("spec").child("containers").index(0).child("resources", "limits").key("cpu")
    assert str(path) == "spec.containers[0].resources.limits[cpu]"
    assert str(ROOT.child("metadata", "name")) == "metadata.name"
    assert path == Path("spec").child("containers").index(0).child("resources").child("limits").key("cpu")


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("plain", '"plain"'),
        ('say "x"', '"say \\"x\\""'),
        ("a\nb\x01", '"a\\nb\\x01"'),
        ("é", '"é"'),
        ("\u200b", '"\\u200b"'),
    ],
)
def test_quote_is_gos(text: str, quoted: str) -> None:
    assert field.quote(text) == quoted
