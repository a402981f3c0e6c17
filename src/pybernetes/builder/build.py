"""The one entry: a request in, an image out."""

import platform as machine
import re
from collections.abc import Sequence
from ipaddress import ip_address

from pybernetes.builder.dockerfile.checks import Finding, Policy, examine
from pybernetes.builder.dockerfile.errors import ParseError
from pybernetes.builder.dockerfile.source import read
from pybernetes.builder.dockerfile.stages import Dockerfile, divide
from pybernetes.builder.errors import BuildError, excerpt
from pybernetes.builder.image import Image
from pybernetes.builder.progress import Report, StepDone, StepOutput, StepStarted, Warned
from pybernetes.builder.request import BuildRequest, BuiltImage
from pybernetes.builder.scope import PREDEFINED
from pybernetes.builder.solve import Solver, StepError
from pybernetes.cri.building import BuildService, NewImage, Source
from pybernetes.cri.errors import CRIError, UnavailableError
from pybernetes.wire.images.ignore import read_ignore
from pybernetes.wire.images.reference import InvalidReferenceError, parse, parse_error

_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*:\S+")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


async def build(request: BuildRequest, door: BuildService, report: Report) -> BuiltImage:
    """Build the image and give it its names. `door` is the runtime's, or a client of it.

    Raises BuildError, after which nothing has a name that it did not have before; CRIError if the runtime went away.
    Cancelling ends the running steps; what was built up to there stays in the cache. Builds may run side by side.
    """
    _check(request)
    names = _full_names(request.tags)
    text = await _dockerfile(request, door)
    platform = _platform()
    try:
        try:
            document = read(text)
            dockerfile = divide(document, request.build_args, platform)
            target = dockerfile.target(request.target)
            findings = examine(document, dockerfile, tuple(platform))
        except ParseError as error:
            where = f"dockerfile parse error on line {error.line}: " if error.line else ""
            raise _failed(request, text, f"{where}{error}", error.line, error.line) from error
        policy = Policy.read(document.check)
        _judge(request, text, [each for each in findings if policy.applies(each)], policy, report)
        if request.only_check:
            return BuiltImage("")
        context = Source(context=request.context, excludes=await _ignored(request, door))
        solver = Solver(request, door, report, dockerfile, platform, context, policy=policy)
        image = await solver.solve(target)
    except StepError as error:
        at = error.instruction
        raise _failed(request, text, str(error), at.line, at.end, error.output) from error
    _warn_unused(request, dockerfile, solver.used, report)
    return await _store(image, request, names, door, report, solver.number())


def _check(request: BuildRequest) -> None:
    """Raises BuildError for what no build here can give."""
    if request.network not in ("default", "none"):
        raise BuildError(f"network mode {request.network!r} is not supported: steps have the network of pods, or none")
    for host in request.hosts:
        if not _HOST.fullmatch(host) or not _is_address(host.partition(":")[2]):
            raise BuildError(f"invalid host {host!r}: it has to be NAME:ADDRESS")


def _is_address(text: str) -> bool:
    try:
        return bool(ip_address(text))
    except ValueError:
        return False


def _judge(request: BuildRequest, text: str, findings: Sequence[Finding], policy: Policy, report: Report) -> None:
    """Tell what the checks have found. Raises BuildError where the file wants them to be errors."""
    for finding in findings:
        report(Warned(str(finding), finding.line))
    if findings and policy.fails:
        rules = ", ".join(dict.fromkeys(each.rule for each in findings))
        raise _failed(request, text, f"lint violation found for rules: {rules}", findings[0].line, findings[0].line)


async def _store(
    image: Image, request: BuildRequest, names: tuple[str, ...], door: BuildService, report: Report, number: int
) -> BuiltImage:
    report(StepStarted(number, "exporting to image"))
    image.add_labels(dict(request.labels))
    try:
        id = await door.store_image(NewImage(image.encode(), image.filesystem, names))
    except UnavailableError:
        raise
    except CRIError as error:
        raise BuildError(f"failed to solve: {error}") from error
    said = [f"writing image {id}", *(f"naming to {name}" for name in names)]
    report(StepOutput(number, 1, "".join(f"{line}\n" for line in said).encode()))
    report(StepDone(number))
    return BuiltImage(id, names)


def _full_names(tags: Sequence[str]) -> tuple[str, ...]:
    names = []
    for tag in tags:
        try:
            names.append(str(parse(tag)))
        except InvalidReferenceError as error:
            raise BuildError(parse_error(tag, error)) from error
    return tuple(dict.fromkeys(names))


async def _dockerfile(request: BuildRequest, door: BuildService) -> str:
    if request.text is not None:
        return request.text
    data = await _read(request, door, request.dockerfile)
    if data is None:
        raise BuildError(
            f"failed to solve: failed to read dockerfile: open {request.dockerfile}: no such file or directory"
        )
    return data.decode(errors="surrogateescape")


async def _ignored(request: BuildRequest, door: BuildService) -> tuple[str, ...]:
    """A Dockerfile's own ignore file goes before the context's."""
    for name in (f"{request.dockerfile}.dockerignore", ".dockerignore") if request.context else ():
        if (data := await _read(request, door, name)) is not None:
            return read_ignore(data.decode(errors="surrogateescape"))
    return ()


async def _read(request: BuildRequest, door: BuildService, path: str) -> bytes | None:
    try:
        return await door.read_context_file(request.context, path)
    except UnavailableError:
        raise
    except CRIError as error:
        raise BuildError(f"failed to solve: {error}") from error


def _failed(request: BuildRequest, text: str, message: str, line: int, end: int, output: str = "") -> BuildError:
    source = excerpt(request.dockerfile, text, line, end) if line else ""
    return BuildError(f"failed to solve: {message}", line=line, source=source, output=output)


def _platform() -> dict[str, str]:
    """The arguments that are there without being given; a build is always for the machine that it runs on."""
    architecture = _ARCHITECTURES.get(machine.machine(), machine.machine())
    found = {"PLATFORM": f"linux/{architecture}", "OS": "linux", "ARCH": architecture, "VARIANT": ""}
    return {f"{side}{name}": value for side in ("TARGET", "BUILD") for name, value in found.items()}


def _warn_unused(request: BuildRequest, dockerfile: Dockerfile, used: set[str], report: Report) -> None:
    unused = sorted(request.build_args.keys() - used - set(dockerfile.globals) - set(PREDEFINED))
    if unused:
        report(Warned(f"One or more build-args [{' '.join(unused)}] were not consumed", 0))
