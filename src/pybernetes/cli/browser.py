"""Opening a URL in the browser of whoever sits at this terminal, also through sudo."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

from pybernetes.cluster.owner import Owner

OPENER = "xdg-open"


def can_open(environment: Mapping[str, str]) -> bool:
    """Whether there is a display to show it on, and a program that knows how."""
    has_display = bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))
    return has_display and is_there()


def is_there() -> bool:
    """Whether a program knows how to open a URL."""
    return shutil.which(OPENER) is not None


def open_url(url: str, owner: Owner) -> subprocess.Popen[bytes]:
    """Not as root: a browser is the user's own. Returns at once; nobody has to wait for the process."""
    environment = {**os.environ, "HOME": str(owner.home)}
    options: dict[str, Any] = {"user": owner.uid, "group": owner.gid, "extra_groups": []} if os.geteuid() == 0 else {}
    for stream in ("stdin", "stdout", "stderr"):
        options[stream] = subprocess.DEVNULL
    return subprocess.Popen([OPENER, url], env=environment, start_new_session=True, **options)
