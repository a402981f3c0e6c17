"""What stands between a pod and its devices."""

from __future__ import annotations


class ClaimError(Exception):
    """In upstream's words, for the pod's event. It is tried again."""
