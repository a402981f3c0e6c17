"""What a toleration covers."""

from __future__ import annotations

from pybernetes.api.types import core_v1


def tolerates(toleration: core_v1.Toleration, taint: core_v1.Taint) -> bool:
    """Empty key with Exists tolerates everything; empty effect every effect; Lt and Gt compare integers (KEP-5471)."""
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    match toleration.operator or "Equal":
        case "Exists":
            return True
        case "Equal":
            return bool(toleration.key) and (toleration.value or "") == (taint.value or "")
        case "Lt" | "Gt" as operator:
            return _compare(operator, taint.value or "", toleration.value or "")
        case _:
            return False


def _compare(operator: str, taint: str, toleration: str) -> bool:
    try:
        left, right = int(taint), int(toleration)
    except ValueError:
        return False
    return left < right if operator == "Lt" else left > right
