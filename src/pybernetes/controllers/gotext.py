"""How Go prints what upstream's messages quote. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from pybernetes.api.types import meta_v1


def as_go_prints(selector: meta_v1.LabelSelector | None) -> str:
    """A selector as it stands in upstream's messages."""
    if selector is None:
        return "nil"

    def parts() -> Iterator[str]:
        for one in selector.match_expressions:
            yield f"LabelSelectorRequirement{{Key:{one.key},Operator:{one.operator},Values:[{' '.join(one.values)}],}},"

    pairs = "".join(f"{key}: {value}," for key, value in sorted(selector.match_labels.items()))
    expressions = f"[]LabelSelectorRequirement{{{''.join(parts())}}}"
    return f"&LabelSelector{{MatchLabels:map[string]string{{{pairs}}},MatchExpressions:{expressions},}}"
