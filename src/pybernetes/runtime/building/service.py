"""The BuildService: each step over a root of its own, which becomes a layer or vanishes."""

import asyncio
import os
import shutil
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import Path

from pybernetes.aio.threads import Worker
from pybernetes.cri import types as t
from pybernetes.cri.building import (
    BaseImage,
    Copy,
    Exited,
    Filesystem,
    MakeDirectory,
    NewImage,
    RemoteFile,
    RemoteRepository,
    Result,
    Run,
    Source,
    Step,
    StepEvent,
)
from pybernetes.cri.errors import CRIError, InvalidError
from pybernetes.runtime.building import mounts, process
from pybernetes.runtime.building.archives import is_archive, unpacked
from pybernetes.runtime.building.caches import Caches, sweep
from pybernetes.runtime.building.copying import Copier, Look, make_directories
from pybernetes.runtime.building.digest import Digests, digest_files
from pybernetes.runtime.building.downloads import Downloads
from pybernetes.runtime.building.modes import is_mode
from pybernetes.runtime.building.roots import Root, open_root
from pybernetes.runtime.building.sources import Sources, open_context
from pybernetes.runtime.building.tree import Tree
from pybernetes.runtime.images.service import Images
from pybernetes.runtime.oci.users import resolve_user
from pybernetes.runtime.service.core import Core
from pybernetes.runtime.syscalls import open_in_root

_FILE_LIMIT = 16 << 20
_KNOWN_DIGESTS = 4096


class Building:
    """Steps of builds on this node. Nothing of it runs, and nothing is open, while nobody builds."""

    def __init__(self, core: Core, images: Images) -> None:
        self._core = core
        self._images = images
        self._worker = Worker("steps", 2)
        self._sources = Sources(images.workshop, core.options, self._worker)
        self._caches = Caches(core.options.root / "build-caches")
        self._downloads = Downloads(core.options.root / "build-downloads", images.http, self._worker)
        self._digests = Digests()
        # Layers never change, so that what was found in them once holds.
        self._image_digests: OrderedDict[tuple[Source, tuple[str, ...]], str] = OrderedDict()

    async def close(self) -> None:
        await self._worker.close()

    async def find_image(self, name: str, pull: bool, auth: t.AuthConfig | None = None) -> BaseImage:
        return await self._images.base(name, auth, force=pull)

    async def read_context_file(self, context: str, path: str) -> bytes | None:
        return await self._worker.run(_read_file, context, path)

    async def digest_files(self, source: Source, patterns: list[str]) -> str:
        key = (source, tuple(patterns))
        if not source.context and (known := self._image_digests.get(key)):
            return known
        with _translated():
            async with self._sources.tree(source) as tree:
                found = await self._worker.finish(digest_files, tree, patterns, self._digests)
        if not source.context:
            self._image_digests[key] = found
            if len(self._image_digests) > _KNOWN_DIGESTS:
                self._image_digests.popitem(last=False)
        return found

    async def fetch_files(self, files: list[RemoteFile]) -> Source:
        with _translated():
            return await self._downloads.fetch(files, self._core.options.new_id())

    async def fetch_repository(self, repository: RemoteRepository) -> Source:
        with _translated():
            return await self._downloads.check_out(repository, self._core.options.new_id())

    async def find_result(self, key: str) -> Result | None:
        return await self._images.workshop.find_result(key)

    async def store_image(self, image: NewImage) -> str:
        return await self._images.store(image)

    async def forget_builds(self) -> int:
        self._image_digests.clear()
        freed = await self._images.forget_results() + await self._worker.run(sweep, self._caches.take_unused())
        return freed + await self._worker.run(self._downloads.forget)

    async def run_step(self, step: Step) -> AsyncGenerator[StepEvent, None]:
        name, operation = self._core.options.new_id(), step.operation
        if isinstance(operation, Run):
            async with aclosing(self._run(step, operation, name)) as events:
                async for event in events:
                    yield event
            return
        with _translated():
            async with open_root(self._images.workshop.snapshots, step.parent.chain, name) as root:
                if isinstance(operation, Copy):
                    async with self._sources.tree(operation.source) as tree:
                        await self._worker.finish(_copy, tree, root, operation, self._images.workshop.staging)
                else:
                    await self._worker.finish(_make_directory, root, operation)
                yield await self._finish(step, root)

    async def _run(self, step: Step, run: Run, name: str) -> AsyncGenerator[StepEvent, None]:
        core, snapshots = self._core, self._images.workshop.snapshots
        with _translated():
            async with (
                self._scratch(name) as scratch,
                mounts.prepare(run.mounts, self._sources, self._caches, scratch) as prepared,
                open_root(snapshots, step.parent.chain, name, prepared.make_stubs) as root,
                process.open_sandbox(core, run.network != "none") as sandbox,
                aclosing(process.run_process(core, sandbox, root, run, prepared)) as output,
            ):
                async for event in output:
                    if isinstance(event, Exited) and event.code == 0:
                        break
                    yield event
                    if isinstance(event, Exited):
                        return
                yield await self._finish(step, root)

    @asynccontextmanager
    async def _scratch(self, name: str) -> AsyncIterator[Path]:
        path = self._images.workshop.staging / f"step-{name}"
        path.mkdir(mode=0o700)
        try:
            yield path
        finally:
            await asyncio.shield(self._worker.run(shutil.rmtree, path))

    async def _finish(self, step: Step, root: Root) -> Result:
        """Make a layer of what was written, and remember it."""
        workshop = self._images.workshop
        await root.release()
        async with workshop.adding():
            filesystem: Filesystem = await workshop.make_layer(root.upper, step.parent)
            created = self._core.options.clock.now().isoformat(timespec="microseconds").replace("+00:00", "Z")
            result = Result(filesystem, created)
            await workshop.remember(step.key, result)
        return result


@contextmanager
def _translated() -> Iterator[None]:
    """Raises CRIError instead of OSError: the disk's or the system's word."""
    try:
        yield
    except OSError as error:
        raise CRIError(f"{error.filename}: {error.strerror}" if error.filename else str(error)) from error


def _read_file(context: str, path: str) -> bytes | None:
    root = open_context(context)
    try:
        fd = open_in_root(root, path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return None
    finally:
        os.close(root)
    with open(fd, "rb") as file:
        if not os.path.isfile(f"/proc/self/fd/{fd}"):
            return None
        data = file.read(_FILE_LIMIT + 1)
    if len(data) > _FILE_LIMIT:
        raise InvalidError(f"{path} is larger than {_FILE_LIMIT >> 20} MiB")
    return data


def _make_directory(root: Root, operation: MakeDirectory) -> None:
    os.close(make_directories(root.fd, operation.path, _owner(root, operation.owner) or (0, 0)))


def _copy(tree: Tree, root: Root, operation: Copy, staging: Path) -> None:
    if operation.mode and not is_mode(operation.mode):
        raise InvalidError(
            f"invalid chmod parameter: '{operation.mode}'. it should be octal string and between 0 and 07777"
        )
    look = Look(_owner(root, operation.owner), operation.mode)
    copier = Copier(tree, root.fd, look, operation.excludes)
    if operation.inline:
        copier.write(operation.inline, operation.target)
    paths = [path for pattern in operation.patterns for path in tree.find(pattern)]
    if operation.unpack:
        paths = [path for path in paths if not _unpack(tree, path, root, operation.target, staging)]
    copier.copy(paths, operation.target, parents=operation.parents)


def _unpack(tree: Tree, path: str, root: Root, target: str, staging: Path) -> bool:
    """Whether the file was an archive, whose content is in the target now, with the owners that it names."""
    fd = tree.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if not os.path.isfile(f"/proc/self/fd/{fd}") or not is_archive(fd):
            return False
        with unpacked(fd, path, staging) as directory:
            content = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                Copier(Tree(content, owned=True), root.fd).copy([""], target)
            finally:
                os.close(content)
        return True
    finally:
        os.close(fd)


def _owner(root: Root, text: str) -> tuple[int, int] | None:
    """`user[:group]` by the root's own databases. A bare number is the group's, too, as docker has it."""
    if not text:
        return None
    user = resolve_user(root.path, t.LinuxContainerSecurityContext(), text)
    return user.uid, user.uid if text.isdecimal() else user.gid
