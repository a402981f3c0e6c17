"""What stands between a container and its devices."""

from __future__ import annotations


class DeviceError(Exception):
    """In upstream's words."""
