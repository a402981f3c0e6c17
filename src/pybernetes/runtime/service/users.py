"""User namespaces of pods (KEP-127): which ids a sandbox has, and whether this node can give it others than its own."""

import asyncio
import json
import logging
import subprocess
from contextlib import suppress

from pybernetes.cri import types as t
from pybernetes.cri.errors import CRIError, InvalidError
from pybernetes.runtime.service.core import Core
from pybernetes.runtime.service.handlers import available, choose_program
from pybernetes.runtime.state import SandboxRecord

log = logging.getLogger(__name__)


async def check_users(core: Core, record: SandboxRecord) -> None:
    """Raises InvalidError for ids or neighbours that a user namespace cannot have, or if there is none here."""
    users = record.users
    if users is None:
        return
    for mapping in (users.uids, users.gids):
        if len(mapping) != 1 or mapping[0].container_id != 0 or mapping[0].length == 0:
            raise InvalidError("a user namespace takes one range of ids, with root in it")
    options = record.options
    if t.NamespaceMode.NODE in (options.network, options.pid, options.ipc):
        raise InvalidError("a user namespace cannot have network, processes or IPC of the node")
    if not await are_supported(core, record.handler):
        raise InvalidError("user namespaces are not supported by this runtime handler on this node")


async def are_supported(core: Core, handler: str) -> bool:
    """Whether containers of the handler can have ids of their own here. Found out once by trying."""
    return await asyncio.shield(_found_out(core, choose_program(handler, core.options.oci_runtime)))


def find_out(core: Core) -> None:
    """Begin to: who asks for the first status need not wait for it."""
    for handler in available():
        with suppress(InvalidError):  # a default that is not there is told with the status
            _found_out(core, choose_program(handler, core.options.oci_runtime))


def _found_out(core: Core, program: str) -> asyncio.Task[bool]:
    if program not in core.user_namespaces:
        finding = _program_maps_ids(core, program) if program else _kernel_maps_ids(core)
        core.user_namespaces[program] = core.scope.spawn(finding, f"user namespaces {program}".strip())
    return core.user_namespaces[program]


async def _kernel_maps_ids(core: Core) -> bool:
    """Whether mounts of the runtime's file system, and those in memory, can be seen with other ids."""
    reply = core.zygote.ask({"call": "users", "path": str(core.options.root)})
    try:
        said, _ = await reply.next()
    except CRIError as error:
        said = {"error": str(error)}
    finally:
        reply.close()
    if "error" in said:
        log.info("no user namespaces for pods reason=%s", said["error"])
    return "error" not in said


async def _program_maps_ids(core: Core, program: str) -> bool:
    return await asyncio.shield(_found_out(core, "")) and await core.files.run(_says_so, program)


def _says_so(program: str) -> bool:
    """What an OCI runtime says of itself (runc 1.2, crun 1.9 and later)."""
    try:
        said = subprocess.run([program, "features"], capture_output=True, timeout=10, check=True).stdout
        extensions = json.loads(said)["linux"]["mountExtensions"]
        return bool(extensions["idmap"]["enabled"])
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return False
