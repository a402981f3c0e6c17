"""The built-in resources that parts of the server name themselves."""

from pybernetes.api.scheme import Resource, by_plural


def builtin(group: str, version: str, plural: str) -> Resource:
    """The built-in resource; LookupError if there is none of that name, which is a mistake of the caller."""
    found = by_plural(group, version, plural)
    if found is None:
        raise LookupError(f"no built-in resource {plural}.{group}/{version}")
    return found
