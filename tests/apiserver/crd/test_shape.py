"""What a schema makes of an object, by itself."""

from tests.apiserver.crd.widgets import SCHEMA

from pybernetes.apiserver.crd.shape import Shape


def test_lists_that_are_maps_hold_a_key_once():
    items = {"type": "object", "properties": {"k": {"type": "string"}}}
    source = {
        "type": "object",
        "properties": {
            "l": {"type": "array", "items": items, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]}
        },
    }
    errors = Shape(source).validate({"l": [{"k": "a"}, {"k": "a"}]})
    assert [str(error) for error in errors] == ['l[1]: Duplicate value: {"k":"a"}']


def strict(size: int, **more: object) -> dict[str, object]:
    return {"metadata": {}, "spec": {"size": size, **more}}


def test_a_schema_that_became_stricter_holds_for_changes_only():
    shape = Shape(SCHEMA)
    assert shape.validate(strict(0))
    assert not shape.validate(strict(0, replicas=2), strict(0))
    assert [error.field for error in shape.validate(strict(-1), strict(0))] == ["spec.size"]
    assert [error.field for error in shape.validate(strict(0, mode="odd"), strict(0))] == ["spec.mode"]


def test_elements_are_the_same_ones_in_maps_only():
    item = {"type": "object", "properties": {"name": {"type": "string"}, "n": {"type": "integer", "maximum": 3}}}
    lists = {"type": "array", "items": item}
    keyed = lists | {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
    old = {"metadata": {}, "all": [{"name": "a", "n": 9}]}
    new = {"metadata": {}, "all": [{"name": "b", "n": 1}, {"name": "a", "n": 9}]}
    for source, wrong in ((lists, ["all[1].n"]), (keyed, [])):
        shape = Shape({"type": "object", "properties": {"all": source}})
        assert [error.field for error in shape.validate(new, old)] == wrong


def test_objects_inside_of_objects():
    inner = {"type": "object", "x-kubernetes-embedded-resource": True, "properties": {"spec": {"type": "object"}}}
    shape = Shape({"type": "object", "properties": {"inner": inner}})
    given = {"apiVersion": "a/b/c", "kind": "Po d", "metadata": {"name": "x", "nosuch": 1}, "more": 2}
    made, unknown = shape.prepare({"metadata": {}, "inner": given})
    assert (made["inner"]["metadata"], unknown) == ({"name": "x"}, ["inner.more", "inner.metadata.nosuch"])
    assert [error.field for error in shape.validate(made)] == ["inner.apiVersion", "inner.kind"]
    assert [str(error) for error in shape.validate({"metadata": {}, "inner": {}})] == [
        "inner.apiVersion: Required value", "inner.kind: Required value",
    ]  # fmt: skip


def test_what_stood_twice_may_go_on_doing_so():
    shape = Shape(
        {
            "type": "object",
            "properties": {
                "s": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
                "n": {"type": "integer"},
            },
        }
    )
    twice = {"metadata": {}, "s": ["a", "a"]}
    assert [str(error) for error in shape.validate(twice)] == ['s[1]: Duplicate value: "a"']
    assert shape.validate({**twice, "s": ["b", "b"], "n": 1}, twice) == []
    assert shape.validate(twice, {"metadata": {}, "s": ["a"]})
