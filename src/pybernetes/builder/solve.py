"""Stages carried out, side by side where they do not wait for one another; each step looked up before it is done."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import count
from typing import NoReturn

from pybernetes.builder import metadata
from pybernetes.builder.dockerfile.checks import Policy, undefined
from pybernetes.builder.dockerfile.errors import ParseError, RefusedError
from pybernetes.builder.dockerfile.source import Instruction, read_one
from pybernetes.builder.dockerfile.stages import Dockerfile, Stage, check
from pybernetes.builder.errors import BuildError
from pybernetes.builder.image import Image
from pybernetes.builder.keys import key_of
from pybernetes.builder.mounts import Given
from pybernetes.builder.operations import STEPS, Planned, plan
from pybernetes.builder.progress import Report, StepDone, StepFailed, StepOutput, StepsCounted, StepStarted, Warned
from pybernetes.builder.request import BuildRequest
from pybernetes.builder.scope import PREDEFINED, Scope
from pybernetes.cri.building import (
    BindMount,
    BuildService,
    CacheMount,
    Copy,
    Exited,
    Output,
    RemoteFile,
    RemoteRepository,
    Result,
    Run,
    Source,
    Step,
)
from pybernetes.cri.errors import CRIError, UnavailableError
from pybernetes.wire.images.reference import InvalidReferenceError, parse, parse_error

_TAIL = 16_000
EXPORT = 1
"""The step after the last stage (builder/build.py)."""


class StepError(Exception):
    """A step failed; `instruction` is where, `output` what it printed last."""

    def __init__(self, message: str, instruction: Instruction, output: str = "") -> None:
        super().__init__(message)
        self.instruction = instruction
        self.output = output


@dataclass(slots=True)
class Solver:
    """One build. `context` is what COPY without `--from` takes from; `used` are the build arguments that were declared."""

    request: BuildRequest
    door: BuildService
    report: Report
    dockerfile: Dockerfile
    platform: dict[str, str]
    context: Source
    used: set[str] = field(default_factory=set)
    policy: Policy = field(default_factory=Policy)
    _counted: int = 0
    _numbers: "count[int]" = field(default_factory=lambda: count(1))
    _images: dict[int, "asyncio.Future[Image]"] = field(default_factory=dict)
    _scopes: dict[int, Scope] = field(default_factory=dict)

    def number(self) -> int:
        return next(self._numbers)

    def count(self, steps: int) -> None:
        """There are so many more."""
        self._counted += steps
        self.report(StepsCounted(self._counted))

    async def solve(self, target: Stage) -> Image:
        """The image of a stage. Raises StepError, BuildError."""
        loop = asyncio.get_running_loop()
        stages = [self.dockerfile.stages[index] for index in sorted(self._needed(target.index))]
        self._images = {stage.index: loop.create_future() for stage in stages}
        self.count(EXPORT + sum(_steps_of(stage) for stage in stages))
        try:
            async with asyncio.TaskGroup() as group:
                for stage in stages:
                    group.create_task(self._solve_stage(stage), name=f"stage {stage.shown_name}")
        except BaseExceptionGroup as failed:
            raise _first(failed) from None
        return self._images[target.index].result()

    def _needed(self, index: int) -> set[int]:
        found, waiting = set[int](), [index]
        while waiting:
            current = waiting.pop()
            if current not in found:
                found.add(current)
                waiting += self.dockerfile.needs(self.dockerfile.stages[current])
        return found

    async def _solve_stage(self, stage: Stage) -> None:
        scope = self._scopes[stage.index] = await _StageRun(self, stage).run()
        self._images[stage.index].set_result(scope.image)

    async def image_of(self, stage: Stage) -> Image:
        """Wait for another stage. One that fails ends the whole build, and with it the waiting."""
        return await self._images[stage.index]

    def inherited_args(self, stage: Stage) -> dict[str, str]:
        """The arguments that the stage has from the one that it begins from, which has ended."""
        return {} if stage.parent is None else dict(self._scopes[stage.parent].args)

    async def pull(self, name: str) -> Image:
        """A base image. Raises CRIError with the registry's cause."""
        found = await self.door.find_image(name, self.request.pull, self.request.auth(name))
        return Image.of(found.config, found.filesystem)


class _StageRun:
    """A stage on its way."""

    def __init__(self, solver: Solver, stage: Stage) -> None:
        self._solver = solver
        self._stage = stage
        self._done = 0
        self._total = 0

    async def run(self) -> Scope:
        """Carry the stage out; what is in force at its end."""
        stage = self._stage
        image = await self._base()
        scope = Scope(
            image, self._solver.dockerfile.escape, self._solver.request.build_args, self._solver.dockerfile.globals,
            self._solver.platform, self._solver.used, self._solver.inherited_args(stage),
        )  # fmt: skip
        triggers = [self._trigger(text, scope) for text in image.take_triggers()]
        if triggers:
            self._solver.count(sum(each.keyword in STEPS for each in triggers))
        instructions = [*triggers, *stage.instructions]
        self._total += sum(each.keyword in STEPS for each in instructions)
        for instruction in instructions:
            self._warn_undefined(instruction, scope)
            try:
                if instruction.keyword in STEPS:
                    await self._step(instruction, scope)
                else:
                    metadata.apply(instruction, scope)
            except ParseError as error:
                raise StepError(_on_line(error, instruction), instruction) from error
        return scope

    def _warn_undefined(self, instruction: Instruction, scope: Scope) -> None:
        known = (*scope.variables, *PREDEFINED, *scope.platform)
        for finding in undefined(instruction, known) if instruction in self._stage.instructions else ():
            if self._solver.policy.applies(finding):
                self._solver.report(Warned(str(finding), finding.line))

    # The base

    async def _base(self) -> Image:
        stage = self._stage
        if stage.parent is not None:
            return (await self._solver.image_of(self._solver.dockerfile.stages[stage.parent])).fork()
        if stage.base == "scratch":
            return Image.scratch(self._solver.platform["TARGETARCH"])
        if stage.platform and stage.platform.split("/")[:2] != self._solver.platform["TARGETPLATFORM"].split("/")[:2]:
            raise StepError(
                f"platform {stage.platform} is not this machine's, {self._solver.platform['TARGETPLATFORM']}",
                stage.begin,
            )
        try:
            shown = str(parse(stage.base))
        except InvalidReferenceError as error:
            raise StepError(parse_error(stage.base, error), stage.begin) from error
        self._done = self._total = 1
        counted = 1 + sum(each.keyword in STEPS for each in stage.instructions)
        number = self._solver.number()
        self._solver.report(StepStarted(number, f"[{self._prefix()}{self._padded(1, counted)}] FROM {shown}"))
        try:
            image = await self._solver.pull(stage.base)
        except UnavailableError:
            raise
        except CRIError as error:
            cause = f"{stage.base}: failed to resolve source metadata for {shown}: {_pull_cause(error)}"
            self._fail(number, cause, stage.begin, error)
        self._solver.report(StepDone(number))
        return image

    def _trigger(self, text: str, scope: Scope) -> Instruction:
        instruction = read_one(text, scope.escape, self._stage.begin.line)
        check(instruction)
        return instruction

    # Steps

    async def _step(self, instruction: Instruction, scope: Scope) -> None:
        planned = await plan(
            instruction, scope, self._given(), lambda name: self._find_source(name, instruction),
            lambda files: self._fetch(files, instruction),
        )  # fmt: skip
        self._done += 1
        number = self._solver.number()
        name = f"[{self._prefix()}{self._padded(self._done, self._total)}] {planned.shown}"
        self._solver.report(StepStarted(number, name))
        result, cached = await self._result(planned, scope, instruction, number)
        self._solver.report(StepDone(number, cached))
        told = f"RUN {planned.told}" if isinstance(planned.operation, Run) else planned.told
        scope.image.note(told, created=result.created, filesystem=result.filesystem)

    def _given(self) -> Given:
        request = self._solver.request
        return Given(request.secrets, request.ssh, request.network, tuple(request.hosts))

    async def _result(
        self, planned: Planned, scope: Scope, instruction: Instruction, number: int
    ) -> tuple[Result, bool]:
        try:
            digests = await self._digests(planned)
            step = Step(scope.image.filesystem, planned.operation, "")
            step = Step(step.parent, step.operation, key_of(step, digests, planned.private))
            if not self._solver.request.no_cache and (known := await self._solver.door.find_result(step.key)):
                return known, True
            return await self._run(step, planned, instruction, number), False
        except UnavailableError:
            raise
        except CRIError as error:
            cause = f"failed to compute cache key: {error}" if '": not found' in str(error) else str(error)
            self._fail(number, cause, instruction, error)

    async def _digests(self, planned: Planned) -> list[str]:
        operation, door = planned.operation, self._solver.door
        if isinstance(operation, Copy) and operation.patterns:
            return [await door.digest_files(operation.source, list(operation.patterns))]
        if isinstance(operation, Run):
            return [await door.digest_files(source, [path]) for source, path in _mounted(operation)]
        return []

    async def _run(self, step: Step, planned: Planned, instruction: Instruction, number: int) -> Result:
        tail = b""
        async with aclosing(self._solver.door.run_step(step)) as events:
            async for event in events:
                if isinstance(event, Output):
                    tail = (tail + event.data)[-_TAIL:]
                    self._solver.report(StepOutput(number, event.stream, event.data))
                elif isinstance(event, Exited):
                    killed = " (out of memory)" if event.reason == "OOMKilled" else ""
                    message = f'process "{planned.told}" did not complete successfully: exit code: {event.code}{killed}'
                    self._fail(number, message, instruction, None, tail.decode(errors="replace"))
                else:
                    return event
        raise BuildError("failed to solve: the runtime ended a step without a result")

    def _fail(
        self, number: int, message: str, instruction: Instruction, cause: Exception | None, output: str = ""
    ) -> NoReturn:
        self._solver.report(StepFailed(number, message))
        raise StepError(message, instruction, output) from cause

    async def _find_source(self, name: str, instruction: Instruction) -> Source:
        """The context, a stage in front of this one, or an image. Raises StepError."""
        if not name:
            return self._solver.context
        if (stage := self._solver.dockerfile.find(name, self._stage.index)) is not None:
            return Source(chain=(await self._solver.image_of(stage)).filesystem.chain)
        if name.isdecimal() or name.lower() == self._stage.name:
            raise StepError(f"invalid from flag value {name}: there is no such stage in front of this one", instruction)
        try:
            return Source(chain=(await self._solver.pull(name)).filesystem.chain)
        except UnavailableError:
            raise
        except CRIError as error:
            cause = f"{name}: failed to resolve source metadata: {_pull_cause(error)}"
            raise StepError(cause, instruction) from error

    async def _fetch(self, wanted: Sequence[RemoteFile] | RemoteRepository, instruction: Instruction) -> Source:
        """Raises StepError."""
        try:
            if isinstance(wanted, RemoteRepository):
                return await self._solver.door.fetch_repository(wanted)
            return await self._solver.door.fetch_files(list(wanted))
        except UnavailableError:
            raise
        except CRIError as error:
            raise StepError(f"failed to load cache key: {error}", instruction) from error

    # What is shown

    def _prefix(self) -> str:
        return f"{self._stage.shown_name} " if len(self._solver.dockerfile.stages) > 1 else ""

    @staticmethod
    def _padded(number: int, total: int) -> str:
        return f"{number:>{len(str(total))}}/{total}"


def _mounted(run: Run) -> Iterator[tuple[Source, str]]:
    """The files that a process has besides those of its root."""
    for mount in run.mounts:
        if isinstance(mount, BindMount):
            yield mount.source, mount.path
        elif isinstance(mount, CacheMount) and mount.base.chain:
            yield mount.base, mount.path


def _steps_of(stage: Stage) -> int:
    """Its base, where that is an image, and what it does to files."""
    is_image = stage.parent is None and stage.base != "scratch"
    return is_image + sum(each.keyword in STEPS for each in stage.instructions)


def _on_line(error: ParseError, instruction: Instruction) -> str:
    if isinstance(error, RefusedError):
        return str(error)
    return f"dockerfile parse error on line {error.line or instruction.line}: {error}"


def _pull_cause(error: CRIError) -> str:
    """The registry's word, without our own of having failed."""
    return str(error).removeprefix("failed to pull and unpack image ")


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
