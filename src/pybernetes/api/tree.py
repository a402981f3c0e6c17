"""Objects as decoded JSON."""

from __future__ import annotations

from typing import Any, TypeAlias

Tree: TypeAlias = dict[str, Any]
"""An object. One that was read from a cache is never changed in place."""
