"""What selectors of devices may say."""

from __future__ import annotations

from pybernetes.api.cel.admission import compile_condition
from pybernetes.api.cel.devices import compile_selector
from pybernetes.api.cel.environment import Environment


def test_what_is_bound_is_named() -> None:
    bound = compile_selector("cel.bind(d, device.attributes['a'], d.x == 1 && d.y == 'z')")
    assert bound.program is not None
    assert bound.program.evaluate({"device": {"attributes": {"a": {"x": 1, "y": "z"}}}}) is True
    assert "undeclared reference to 'cel'" in compile_condition(Environment({}), "cel.bind(a, 1, a == 1)").error


def test_only_attributes_are_of_an_unknown_type() -> None:
    assert compile_selector("device.attributes['a'].b").program is not None
    assert compile_selector("dyn(device).a").error == "must evaluate to bool or the unknown type, not dyn"
