"""Block devices: as they are for a container, or with the filesystem that is on them. Blocking."""

import os
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pybernetes.kubelet.volumes import mounting
from pybernetes.kubelet.volumes.files import VolumeError

DEFAULT_FILESYSTEM = "ext4"
_MAKE = {"ext4": ("mkfs.ext4", "-F", "-m0"), "ext3": ("mkfs.ext3", "-F", "-m0")}
_NOTHING_FOUND = 2
"""blkid's exit code for a device on which it knows nothing."""


def is_block_device(path: Path) -> bool:
    """Also by a link that leads to one."""
    try:
        return stat.S_ISBLK(path.stat().st_mode)
    except FileNotFoundError:
        return False


def checked(path: Path) -> Path:
    """The path, if a container can have it as a device. Raises VolumeError."""
    if not is_block_device(path):
        raise VolumeError(f'path "{path}" is not a block device')
    return path


def mount(device: Path, target: Path, filesystem: str, options: Sequence[str]) -> None:
    """Mount what is on the device, in each pod that uses it; safe to repeat. A device on which nothing is gets the
    filesystem first. Raises VolumeError."""
    target.mkdir(parents=True, exist_ok=True)
    if mounting.is_mount_point(target):
        return
    wanted = filesystem or DEFAULT_FILESYSTEM
    found = _filesystem_on(device)
    if not found:
        _run(*_MAKE.get(wanted, (f"mkfs.{wanted}",)), str(device))
    given = ["-o", ",".join(options)] if options else []
    _run("mount", "-t", wanted, *given, str(device), str(target))


def _filesystem_on(device: Path) -> str:
    """Its name, or that of whatever else is there; "" for nothing at all."""
    done = _start("blkid", "-p", "-s", "TYPE", "-s", "PTTYPE", "-o", "export", os.path.realpath(device))
    if done.returncode == _NOTHING_FOUND:
        return ""
    if done.returncode:
        raise VolumeError(f"blkid {device}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def _run(*command: str) -> None:
    done = _start(*command)
    if done.returncode:
        raise VolumeError(f"{command[0]} failed: {(done.stderr or done.stdout).strip()}")


def _start(*command: str) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise VolumeError(f"{command[0]}: {error.strerror}") from error
