"""What many columns are made of: ages, lists, labels, in kubectl's short forms."""

from __future__ import annotations

from datetime import datetime
from operator import itemgetter
from typing import Any

from pybernetes.api.time import TimeError, parse_time
from pybernetes.api.tree import Tree

UNKNOWN = "<unknown>"
NONE = "<none>"
UNSET = "<unset>"


def human_duration(seconds: float) -> str:
    """A duration as kubectl shows ages: at most two units, fewer the longer it is."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 0:
        return "0s"
    if whole < 120:
        return f"{whole}s"
    minutes = whole // 60
    if minutes < 10:
        rest = whole % 60
        return f"{minutes}m{rest}s" if rest else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    hours = minutes // 60
    if hours < 8:
        rest = minutes % 60
        return f"{hours}h{rest}m" if rest else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if hours < 24 * 8:
        rest = hours % 24
        return f"{hours // 24}d{rest}h" if rest else f"{hours // 24}d"
    days = hours // 24
    if days < 365 * 2:
        return f"{days}d"
    if days < 365 * 8:
        rest = days % 365
        return f"{days // 365}y{rest}d" if rest else f"{days // 365}y"
    return f"{days // 365}y"


def since(text: str | None, now: datetime) -> str:
    """How long ago a time of an object is."""
    if not text:
        return UNKNOWN
    try:
        return human_duration((now - parse_time(text)).total_seconds())
    except TimeError:
        return UNKNOWN


def age(obj: Tree, now: datetime) -> str:
    """The object's age."""
    return since(obj["metadata"].get("creationTimestamp"), now)


def name(obj: Tree) -> str:
    found: str = obj["metadata"]["name"]
    return found


def at(obj: Tree, *path: str, default: Any = None) -> Any:
    """The value at a path, or the default where any part of it is absent."""
    value: Any = obj
    for key in path:
        if not isinstance(value, dict) or (value := value.get(key)) is None:
            return default
    return value


def labels_text(labels: Tree | None) -> str:
    """Labels as "a=b,c=d"; <none> without any."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items())) if labels else NONE


def selector_text(selector: Tree | None) -> str:
    """A LabelSelector struct as text; <none> for an empty one."""
    if not selector:
        return NONE
    terms = [(key, f"{key}={value}") for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for expression in selector.get("matchExpressions") or []:
        key, operator = expression["key"], expression["operator"]
        values = ",".join(sorted(expression.get("values") or []))
        match operator:
            case "In":
                terms.append((key, f"{key} in ({values})"))
            case "NotIn":
                terms.append((key, f"{key} notin ({values})"))
            case "Exists":
                terms.append((key, key))
            case "DoesNotExist":
                terms.append((key, f"!{key}"))
    return ",".join(text for _, text in sorted(terms, key=itemgetter(0))) if terms else NONE


def containers(spec: Tree | None) -> tuple[str, str]:
    """Names and images of a pod spec's containers, comma-separated."""
    listed = (spec or {}).get("containers") or []
    return ",".join(one["name"] for one in listed), ",".join(one.get("image", "") for one in listed)


def go_label_selector(selector: Tree) -> str:
    """A LabelSelector as Go prints it."""
    labels = "".join(f"{key}: {value}," for key, value in sorted((selector.get("matchLabels") or {}).items()))
    expressions = "".join(
        f"LabelSelectorRequirement{{Key:{one.get('key', '')},Operator:{one.get('operator', '')},"
        f"Values:[{' '.join(one.get('values') or ())}],}},"
        for one in selector.get("matchExpressions") or ()
    )
    return (
        f"&LabelSelector{{MatchLabels:map[string]string{{{labels}}},"
        f"MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )
