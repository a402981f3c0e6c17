"""Conditions in a status."""

from pybernetes.api.tree import Tree


def set_condition(status: Tree, condition: Tree) -> None:
    """Put a condition in the place of the one of its type; the time of an unchanged status stays."""
    conditions: list[Tree] = [dict(entry) for entry in status.get("conditions") or ()]
    for index, entry in enumerate(conditions):
        if entry["type"] == condition["type"]:
            if entry.get("status") == condition["status"] and "lastTransitionTime" in entry:
                condition = condition | {"lastTransitionTime": entry["lastTransitionTime"]}
            conditions[index] = condition
            break
    else:
        conditions.append(condition)
    status["conditions"] = conditions
