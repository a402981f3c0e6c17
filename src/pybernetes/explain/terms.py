"""Numbers and lists as a person says them."""

from __future__ import annotations

from collections.abc import Sequence


def count(number: int, noun: str) -> str:
    """`1 pod`, `3 pods`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(names: Sequence[str], limit: int = 4) -> str:
    """`a, b and c`; of many only the first."""
    shown = list(names[:limit])
    if len(names) > limit:
        shown.append(f"{len(names) - limit} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else ""


def duration(seconds: float) -> str:
    """`35s`, `4m`, `2h`, `3d`."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


def amount(resource: str, number: int) -> str:
    """An amount of `scheduler.resources` as a manifest writes it: `500m`, `2`, `1.5Gi`."""
    if resource == "cpu":
        return f"{number // 1000}" if number % 1000 == 0 else f"{number}m"
    for power, unit in ((50, "Pi"), (40, "Ti"), (30, "Gi"), (20, "Mi"), (10, "Ki")):
        if resource in ("memory", "ephemeral-storage", "storage") and number >= 1 << power:
            return f"{number / (1 << power):.1f}".removesuffix(".0") + unit
    return str(number)
