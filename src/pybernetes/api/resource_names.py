"""What the name of a resource says of it: `cpu`, `hugepages-2Mi`, `example.com/gpu`."""

from __future__ import annotations

from pybernetes.api import names
from pybernetes.api.caching import short_cache


def is_native(name: str) -> bool:
    """Whether a resource is Kubernetes' own."""
    return "/" not in name or "kubernetes.io/" in name


def is_hugepages(name: str) -> bool:
    return name.startswith("hugepages-")


@short_cache(1024)
def is_extended(name: str) -> bool:
    """Whether a resource is one that nodes and device plugins make up, such as example.com/gpu."""
    return not is_native(name) and not name.startswith("requests.") and not names.qualified_name(f"requests.{name}")


def can_be_overcommitted(name: str) -> bool:
    return is_native(name) and not is_hugepages(name)
