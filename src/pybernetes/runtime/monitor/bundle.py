"""What the bundle of a container says."""

import json
import os
from typing import Any

from pybernetes.runtime.launcher.users import on_host


def read_config(bundle: str) -> dict[str, Any]:
    with open(os.path.join(bundle, "config.json")) as file:
        config: dict[str, Any] = json.load(file)
        return config


def host_uid(config: dict[str, Any]) -> int:
    """Who the container's process is on the node."""
    return on_host(config["linux"].get("uidMappings", []), config["process"]["user"]["uid"])


def owns_pids(config: dict[str, Any]) -> bool:
    return any(each["type"] == "pid" and not each.get("path") for each in config["linux"]["namespaces"])
