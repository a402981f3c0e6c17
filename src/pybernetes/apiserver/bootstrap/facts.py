"""The objects that upstream makes at its first start, as recorded from one."""

from functools import cache
from importlib.resources import files
from typing import TypeAlias

import msgspec

from pybernetes.api.scheme import API_LEVEL
from pybernetes.api.tree import Tree

Facts: TypeAlias = dict[str, list[Tree]]


@cache
def bootstrap_objects() -> Facts:
    """Objects without kind and apiVersion by the plural of their resource; shared, so never change them."""
    raw = (files("pybernetes.api") / "facts" / f"bootstrap-objects-{API_LEVEL}.json").read_bytes()
    return msgspec.json.decode(raw, type=Facts)
