"""What the `p8s image` commands share: the way to the runtime, its errors as causes and next steps, progress."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from pybernetes.cli.console import Console, Failure
from pybernetes.cli.parser import wrong
from pybernetes.cli.profiles import running
from pybernetes.cluster.docker_login import auth_for
from pybernetes.cluster.images import open_door
from pybernetes.cri import errors
from pybernetes.cri.door import Door, ImageInUseError
from pybernetes.cri.library import ImageStep
from pybernetes.cri.socket import Client
from pybernetes.cri.types import AuthConfig
from pybernetes.runtime.images.registry.credentials import CredentialsError
from pybernetes.wire.images.reference import InvalidReferenceError, Reference, parse, parse_error

T = TypeVar("T")
_UNITS = ("B", "kB", "MB", "GB", "TB")


@dataclass(frozen=True, slots=True)
class Did:
    """What a transfer did to an image, what its result is, and both in a line."""

    verb: str
    result: str
    told: Callable[[Reference, str], str]


def ask(arguments: argparse.Namespace, use: Callable[[Door], Awaitable[T]]) -> T:
    """Run `use` with the door of the running profile. Raises Failure for whatever its runtime refuses."""
    profile = running(arguments)

    async def run() -> T:
        async with open_door(profile) as door:
            return await use(door)

    try:
        return asyncio.run(run())
    except (errors.CRIError, ImageInUseError) as error:
        raise Failure([(str(error), next_step(error, profile.name))]) from error


def next_step(error: Exception, profile: str) -> str:
    """What to do about it."""
    if isinstance(error, errors.UnavailableError):
        return f"p8s status --profile {profile}; p8s logs runtime --profile {profile}"
    if isinstance(error, ImageInUseError):
        return "p8s image rm --force, after which the container cannot start again without pulling"
    if isinstance(error, errors.ImageNotFoundError):
        return "look at the registry's tags for the name" if "resolve" in str(error) else "p8s image ls"
    text = str(error)
    if "no space left on device" in text:
        return f"p8s df --profile {profile} shows what uses the disk; p8s image prune, p8s image rm NAME"
    if "authorization failed" in text or "401" in text or "403" in text:
        return "docker login to the registry as the user who calls p8s, or check that the name is right"
    if "server gave HTTP response to HTTPS client" in text:
        return f"p8s stop; p8s start --profile {profile} --insecure-registry HOST[:PORT]"
    if "archive is malformed" in text:
        return "docker save NAME -o FILE makes an archive of an image; p8s image build takes a Dockerfile"
    if isinstance(error, errors.PullError):
        return "check that the registry's name is right and that it can be reached from this machine"
    return ""


def named(name: str) -> Reference:
    """The full name. Raises Failure in the words of the container world."""
    try:
        return parse(name)
    except InvalidReferenceError as error:
        raise wrong(parse_error(name, error), "names are [HOST[:PORT]/]PATH[:TAG], in lower case") from error


def credential(reference: Reference) -> AuthConfig | None:
    """The caller's, for the registry of the name. Raises Failure."""
    try:
        return auth_for(reference)
    except CredentialsError as error:
        raise Failure([(str(error), "docker login; or mend the file")]) from error


def transfer_all(
    arguments: argparse.Namespace,
    console: Console,
    begin: Callable[[Client, str, AuthConfig | None], AsyncIterator[ImageStep]],
    did: Did,
) -> None:
    """Pull or push each of `arguments.names` with the caller's credentials, and tell what came of it."""
    wanted = [named(name) for name in arguments.names]
    found: list[dict[str, str]] = []
    if arguments.output == "json":
        console.only_json()

    async def use(door: Door) -> None:
        for name in wanted:
            steps = begin(door.library, str(name), credential(name))
            result = await transfer(steps, console, arguments.quiet)
            found.append({"name": str(name), did.result: result})
            console.line(result if arguments.quiet else did.told(name, result))

    ask(arguments, use)
    if arguments.output == "json":
        console.json({did.verb: found})


async def transfer(steps: AsyncIterator[ImageStep], console: Console, quiet: bool) -> str:
    """Show the steps on a terminal until the end; the result."""
    seen: dict[str, ImageStep] = {}
    result = ""
    try:
        async for step in steps:
            if step.result:
                result = step.result
            else:
                seen[step.digest] = step
                if not quiet:
                    console.live(summary(seen))
    finally:
        console.live("")
    return result


def summary(seen: dict[str, ImageStep]) -> str:
    """How far a transfer is: `3/5 blobs, 12.3MB of 45.6MB`."""
    done, total = sum(step.done for step in seen.values()), sum(step.total for step in seen.values())
    whole = sum(step.done == step.total for step in seen.values())
    return f"{whole}/{len(seen)} blobs, {size(done)} of {size(total)}"


def size(count: int) -> str:
    """Bytes as docker prints them: three digits, powers of 1000."""
    value, unit = float(count), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.3g}{_UNITS[unit]}"
