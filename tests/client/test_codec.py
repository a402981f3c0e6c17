"""Objects that no server refuses, and that lack what the types require: everybody's informer has to read them."""

import msgspec
import pytest

from pybernetes.api.types import core_v1, events_v1, resource_v1
from pybernetes.api.types.base import Object
from pybernetes.client.codec import typed_codec


@pytest.mark.parametrize(
    ("kind", "tree", "read"),
    [
        (core_v1.LimitRange, {"spec": {"limits": None}}, lambda found: found.spec.limits == []),
        (core_v1.Secret, {"data": {"a": None}}, lambda found: found.data == {}),
        (core_v1.Pod, {"spec": {"containers": [None]}}, lambda found: found.spec.containers[0].name == ""),
        (events_v1.Event, {"eventTime": None, "series": {}}, lambda found: found.series.count == 0),
        (
            resource_v1.ResourceClaim,
            {"spec": {"devices": {"config": [{"opaque": {"driver": "d"}}]}}},
            lambda found: found.spec.devices.config[0].opaque.parameters == {},
        ),
    ],
)
def test_what_is_missing_has_its_zero_value(kind: type[Object], tree, read) -> None:
    assert read(typed_codec(kind).object(msgspec.json.encode({"metadata": {"name": "x"}, **tree})))
