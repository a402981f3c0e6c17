"""A cluster that comes up with the machine: a unit of systemd, which runs `p8s start` and, at the end, `p8s stop`.

The unit watches no process. The supervisor is in a cgroup of the cluster's own (`session.py`), so a cluster that was
started by hand is ended gracefully at shutdown, too, and stopping or upgrading by hand goes past the unit.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from pybernetes.cluster import control
from pybernetes.cluster.errors import ClusterError
from pybernetes.cluster.owner import Owner
from pybernetes.cluster.profile import Profile

UNITS = Path("/etc/systemd/system")
BOOTED = Path("/run/systemd/system")
"""There only where systemd is what runs the machine (sd_booted(3))."""

START_SECONDS, STOP_SECONDS = 180, 90

UNIT = """\
[Unit]
Description=Pybernetes cluster {name}
Wants=network-online.target
After=network-online.target local-fs.target
RequiresMountsFor={state}

[Service]
Type=oneshot
RemainAfterExit=yes
Environment=SUDO_UID={uid}
ExecStart={p8s} start --profile {name}
ExecStop={p8s} stop --profile {name}
TimeoutStartSec={start}
TimeoutStopSec={stop}

[Install]
WantedBy=multi-user.target
"""


class AutostartError(ClusterError):
    """The machine cannot be told to start the cluster."""


def unit_of(name: str) -> str:
    """The unit's name; profiles have letters, digits and `-` only."""
    return f"pybernetes-{name}.service"


def is_enabled(name: str) -> bool:
    """Whether the cluster comes up with the machine."""
    return _wanted(UNITS / unit_of(name)).is_symlink()


def enable(profile: Profile, owner: Owner) -> bool:
    """From now on; `owner` is whose kubeconfig is kept. False if it was so already. Raises AutostartError."""
    if os.geteuid() != 0:
        raise AutostartError(
            "clusters start with the machine if they are root's", f"sudo p8s start --profile {profile.name}"
        )
    if not BOOTED.is_dir():
        raise AutostartError(
            "systemd does not run this machine", f"have what does run: p8s start --profile {profile.name}"
        )
    unit, text = UNITS / unit_of(profile.name), _text(profile, owner)
    if is_enabled(profile.name) and unit.exists() and unit.read_text() == text:
        return False
    unit.write_text(text)
    unit.chmod(0o644)
    try:
        _systemctl("daemon-reload")
        # One that runs becomes the unit's, so that it ends gracefully when the machine does.
        _systemctl("enable", *(["--now"] if control.is_running(profile) else []), unit.name)
    except AutostartError:
        _wanted(unit).unlink(missing_ok=True)
        unit.unlink(missing_ok=True)
        raise
    return True


def disable(name: str) -> bool:
    """No longer; the cluster goes on. False if it was so already. Raises AutostartError."""
    unit = UNITS / unit_of(name)
    if not unit.exists():
        return False
    if BOOTED.is_dir():
        _systemctl("disable", unit.name)
    _wanted(unit).unlink(missing_ok=True)
    unit.unlink()
    if BOOTED.is_dir():
        _systemctl("daemon-reload")
    return True


def _wanted(unit: Path) -> Path:
    """The link by which systemd starts the unit with the machine."""
    return unit.parent / "multi-user.target.wants" / unit.name


def _text(profile: Profile, owner: Owner) -> str:
    return UNIT.format(
        name=profile.name,
        state=profile.state,
        uid=owner.uid,
        p8s=f'"{sys.executable.replace("%", "%%")}" -m pybernetes.cli.main',
        start=START_SECONDS,
        stop=STOP_SECONDS,
    )


def _systemctl(*arguments: str) -> None:
    try:
        done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=False)
    except OSError as error:
        raise AutostartError(f"systemctl cannot be run: {error.strerror}") from error
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"code {done.returncode}"]
        raise AutostartError(f"systemctl {' '.join(arguments)}: {said[-1]}", f"systemctl status {arguments[-1]}")
