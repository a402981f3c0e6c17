"""The base of every typed API object, and the scalar types that JSON Schema has no name for."""

from typing import TypeAlias

import msgspec

from pybernetes.api.types.names import IRREGULAR

Quantity: TypeAlias = str | int | float
"""A resource quantity as written ("100m", "1Gi"); the server stores its canonical string. See `api.quantity`."""

IntOrString: TypeAlias = int | str
"""A number, or a name or percentage ("25%")."""

Time: TypeAlias = str
"""RFC 3339 in UTC with seconds, "2026-01-31T12:00:00Z". See `api.time`."""

MicroTime: TypeAlias = str
"""RFC 3339 in UTC with microseconds, "2026-01-31T12:00:00.000000Z". See `api.time`."""

FieldsV1: TypeAlias = msgspec.Raw
"""The fields of a manager, not decoded: they are a third of a pod, and only the API server looks into them."""


def json_name(attribute: str) -> str:
    """The JSON name of an attribute: pod_ips -> podIPs."""
    if attribute in IRREGULAR:
        return IRREGULAR[attribute]
    head, *rest = attribute.split("_")
    return head + "".join(part.capitalize() for part in rest)


class Object(msgspec.Struct, frozen=True, omit_defaults=True, gc=False, rename=json_name):
    """An API object or a part of one: immutable, since informers share it among all readers.

    Attribute names are the JSON names in snake case (`podIPs` -> `pod_ips`, `from` -> `from_`); absent lists and
    maps read as empty ones, absent scalars and structs as None. A changed copy is `msgspec.structs.replace(...)`;
    lists and maps inside are never changed in place.
    """
