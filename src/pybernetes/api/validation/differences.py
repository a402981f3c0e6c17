"""What an illegal change would change, added to its message, field by field, as Go prints two structures."""

from __future__ import annotations

from pybernetes.api.field import go_json
from pybernetes.api.tree import Tree


def differences(structure: str, new: Tree, old: Tree) -> str:
    """The fields that differ, each with its old and its new value; `structure` is a name such as core.PodSpec."""
    lines = [f"  {structure}{{"]
    same = 0
    for name in sorted(new.keys() | old.keys()):
        before, after = old.get(name), new.get(name)
        if before == after:
            same += 1
            continue
        if same:
            lines.append(_identical(same))
            same = 0
        shown = name[0].upper() + name[1:]
        lines += [f"- \t{shown}: {go_json(before)},", f"+ \t{shown}: {go_json(after)},"]
    if same:
        lines.append(_identical(same))
    return "\n".join([*lines, "  }", ""])


def _identical(count: int) -> str:
    return f"  \t... // {count} identical field{'s' if count > 1 else ''}"
