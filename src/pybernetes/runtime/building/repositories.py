"""Git repositories that ADD takes from the network, by the program git of this machine."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from pybernetes.cri.building import RemoteRepository
from pybernetes.cri.errors import CRIError

PROTOCOLS = "git:http:https:ssh"
"""No `ext::` and no files: whoever writes a Dockerfile, or a `.gitmodules`, runs nothing and reads nothing here."""
PASSED_ON = ("PATH", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE")
UMASK = 'umask 022; exec git "$@"'


async def check_out(repository: RemoteRepository, place: Path) -> None:
    """The wanted commit in an empty directory, beside its `.git`. Raises CRIError in git's words."""
    git = _Git(place)
    await git.run("init", "-q")
    wanted = ("--", repository.url, repository.ref or "HEAD")
    try:
        await git.run("fetch", "-q", "--depth=1", "--no-tags", *wanted)
    except CRIError as error:
        # Plain files behind a web server have no depth.
        if "shallow" not in str(error):
            raise
        await git.run("fetch", "-q", "--no-tags", *wanted)
    await git.run("checkout", "-q", "FETCH_HEAD", "--")
    if (place / ".gitmodules").exists():
        await git.run("submodule", "--quiet", "update", "--init", "--recursive")


class _Git:
    """git without a user: no configuration but its own, and nobody whom it could ask for a password."""

    def __init__(self, place: Path) -> None:
        self._place = place
        given = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        self._environment = given | {
            "HOME": "/nonexistent",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": PROTOCOLS,
            "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
        }

    async def run(self, *arguments: str) -> None:
        process = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", UMASK, "git", "-C", str(self._place), *arguments,
            env=self._environment, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        try:
            _, said = await process.communicate()
        except BaseException:
            if process.returncode is None:
                os.killpg(
                    process.pid, signal.SIGKILL
                )  # with the programs that git has started: they would go on writing
                await process.wait()
            raise
        if process.returncode == 127:
            raise CRIError("ADD of a git repository needs the program git on this machine")
        if process.returncode:
            raise CRIError(f"failed to fetch remote: {said.decode(errors='replace').strip()}")
