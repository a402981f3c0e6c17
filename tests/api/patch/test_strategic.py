"""Strategic merge: directives, keys and orders that the recorded scenarios do not reach."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api.errors import StatusError
from pybernetes.api.patch.strategic import strategic_patch
from pybernetes.api.schema import schema_of

POD = schema_of("v1", "Pod")


def pod(*names, **spec):
    return {"metadata": {"name": "p"}, "spec": {"containers": [{"name": n, "image": "i"} for n in names], **spec}}


def names(tree):
    return [container["name"] for container in tree["spec"]["containers"]]


def patched(tree, **spec):
    return strategic_patch(POD, tree, {"spec": spec})


def test_new_elements_come_first_and_an_order_moves_them():
    assert names(patched(pod("a", "b"), containers=[{"name": "c"}])) == ["c", "a", "b"]
    ordered = patched(pod("a", "b"), **{"$setElementOrder/containers": [{"name": n} for n in "acb"]})
    assert names(ordered) == ["a", "b"]
    ordered = patched(
        pod("a", "b"),
        containers=[{"name": "c", "image": "i"}],
        **{"$setElementOrder/containers": [{"name": n} for n in "acb"]},
    )
    assert names(ordered) == ["a", "c", "b"]


def test_elements_of_others_keep_their_place_among_ordered_ones():
    order = {"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}]}
    assert names(patched(pod("a", "x", "c", "y"), **order)) == ["x", "c", "a", "y"]


def test_elements_are_deleted_by_key():
    assert names(patched(pod("a", "b"), containers=[{"name": "a", "$patch": "delete"}])) == ["b"]


def test_retain_keys_clears_the_fields_it_does_not_name():
    tree = pod("a", volumes=[{"name": "v", "emptyDir": {}}])
    volume = {"$retainKeys": ["name", "configMap"], "name": "v", "configMap": {"name": "c"}}
    assert patched(tree, volumes=[volume])["spec"]["volumes"] == [{"name": "v", "configMap": {"name": "c"}}]
    with pytest.raises(StatusError) as caught:
        patched(tree, volumes=[{**volume, "secret": {}}])
    assert (caught.value.code, caught.value.message) == (400, "invalid patch format of retainKeys")


def test_primitive_lists():
    tree = {"metadata": {"finalizers": ["a", "b", "c"]}}
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["b"], "finalizers": ["d"]}}
    assert strategic_patch(POD, tree, patch)["metadata"]["finalizers"] == ["d", "a", "c"]
    assert patched(pod("a", tolerations=[{"key": "x"}]), tolerations=[])["spec"]["tolerations"] == []


def test_nulls_of_new_maps_are_dropped():
    assert patched(pod("a"), securityContext={"runAsUser": None, "fsGroup": 1})["spec"]["securityContext"] == {
        "fsGroup": 1
    }


@pytest.mark.parametrize(
    ("spec", "code", "message"),
    [
        ({"containers": [{"$patch": "x"}]}, 500, "unknown patch type: x in map: map[$patch:x]"),
        ({"containers": [{"$patch": "merge"}]}, 500, "merging lists cannot yet be specified in the patch"),
        (
            {"containers": [{"$patch": "delete"}]},
            500,
            "map: map[$patch:delete] does not contain declared merge key: name",
        ),
        ({"$setElementOrder/containers": 1}, 500, "expected a []interface {}, but received a int64"),
        ({"containers": ["a"]}, 500, "list element types are not identical: [[map[image:i name:a]] [a]]"),
        ({"containers": [["a"]]}, 422, "the server rejected our request due to an error in our request"),
    ],
)
def test_malformed_patches(spec, code, message):
    with pytest.raises(StatusError) as caught:
        patched(pod("a"), **spec)
    assert (caught.value.code, caught.value.message) == (code, message)


def test_a_bomb_of_elements_is_merged_in_linear_time():
    order = [{"name": f"c{n}"} for n in range(20_000)]
    tree = patched(pod(), containers=order, **{"$setElementOrder/containers": list(reversed(order))[::-1]})
    again = patched(tree, containers=order, **{"$setElementOrder/containers": order})
    assert len(again["spec"]["containers"]) == 20_000


NAMES = st.lists(st.sampled_from("abcde"), unique=True)


@given(NAMES, NAMES)
def test_a_patch_is_safe_to_repeat_and_leaves_its_arguments(had, sent):
    tree = pod(*had)
    patch = {"spec": {"containers": [{"name": n, "image": "new"} for n in sent]}}
    before = repr((tree, patch))
    once = strategic_patch(POD, tree, patch)
    assert sorted(names(once)) == sorted({*had, *sent})
    assert {c["name"] for c in once["spec"]["containers"] if c["image"] == "new"} == set(sent)
    again = strategic_patch(POD, once, patch)
    assert sorted(names(again)) == sorted(names(once))
    assert repr((tree, patch)) == before


def test_new_elements_take_the_places_of_deleted_ones():
    patch = [{"name": "n", "image": "i"}, {"name": "a", "$patch": "delete"}]
    order = {"$setElementOrder/containers": [{"name": "b"}, {"name": "n"}]}
    assert names(patched(pod("a", "b", "x"), containers=patch, **order)) == ["b", "x", "n"]


ORDER = "$setElementOrder/containers"


@pytest.mark.parametrize(
    ("order", "elements", "message"),
    [
        (None, [{"name": "a"}], "expected a []interface {}, but received a %!s(<nil>)"),
        (["a"], [{"name": "a"}], "expected a map[string]interface {}, but received a string"),
        ([{"name": "a"}], ["a"], "expected a map[string]interface {}, but received a string"),
        ([{"a": 1}], [{"name": "a"}], "map: map[a:1] does not contain declared merge key: name"),
        ([{"name": "a"}], [{"a": 1}], "map: map[a:1] does not contain declared merge key: name"),
    ],
)
def test_orders_that_cannot_be_followed(order, elements, message):
    with pytest.raises(StatusError) as caught:
        patched(pod("a"), containers=elements, **{ORDER: order})
    assert (caught.value.code, caught.value.message) == (500, message)


def test_an_order_need_not_name_elements_that_are_directives():
    replaced = patched(
        pod("a", "b"), containers=[{"$patch": "replace"}, {"name": "c"}], **{ORDER: [{"name": "c"}, {"name": "d"}]}
    )
    assert names(replaced) == ["c"]


def test_elements_that_share_a_key_keep_their_order():
    ports = [{"port": 80, "name": "a"}, {"port": 80, "name": "b", "protocol": "UDP"}]
    service = {"metadata": {"name": "s"}, "spec": {"ports": ports}}
    assert strategic_patch(schema_of("v1", "Service"), service, {"spec": {"ports": []}}) == service


def test_values_are_not_taken_out_of_lists_of_objects():
    with pytest.raises(StatusError) as caught:
        patched(pod("a"), **{"$deleteFromPrimitiveList/containers": ["a"]})
    assert caught.value.message == "list element types are not identical: [[map[image:i name:a]] [a]]"
    merged = patched(pod("a"), **{"$deleteFromPrimitiveList/containers": [{"name": "a", "image": "j"}]})
    assert merged["spec"]["containers"] == [{"name": "a", "image": "j"}]
