"""Contexts and images as trees to copy from, or as directories to mount."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pybernetes.aio.threads import Worker
from pybernetes.cri.building import Source
from pybernetes.cri.errors import InvalidError, NotFoundError
from pybernetes.runtime.building.copying import Copier
from pybernetes.runtime.building.roots import open_root
from pybernetes.runtime.building.tree import Tree
from pybernetes.runtime.images.workshop import Workshop
from pybernetes.runtime.options import Options
from pybernetes.wire.images.ignore import clean


class Sources:
    """Opens what a `Source` names."""

    def __init__(self, workshop: Workshop, options: Options, worker: Worker) -> None:
        self._workshop = workshop
        self._options = options
        self._worker = worker

    @asynccontextmanager
    async def tree(self, source: Source) -> AsyncIterator[Tree]:
        """What can be copied. Raises NotFoundError if there is no such directory, or no such layers any more."""
        if not source.context:
            async with open_root(self._workshop.snapshots, source.chain, self._options.new_id()) as root:
                yield Tree(root.fd, source.excludes, owned=True)
            return
        fd = open_context(source.context)
        try:
            yield Tree(fd, source.excludes)
        finally:
            os.close(fd)

    @asynccontextmanager
    async def staged(self, source: Source, path: str) -> AsyncIterator[int]:
        """A descriptor of a root that may be mounted and written to, and in which `path` is as in the source.

        An image's layers get a writable one of their own; of a context a copy is made, without what is ignored.
        """
        if not source.context:
            async with open_root(self._workshop.snapshots, source.chain, self._options.new_id()) as root:
                yield root.fd
            return
        directory = self._workshop.staging / self._options.new_id()
        directory.mkdir(mode=0o755)
        directory.chmod(0o755)
        try:
            await self.copy(source, path, directory, f"/{clean(path)}")
            fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                yield fd
            finally:
                os.close(fd)
        finally:
            await self._worker.run(shutil.rmtree, directory)

    async def copy(self, source: Source, path: str, directory: Path, target: str) -> None:
        """Copy `path` of the source to `target` below `directory`, where it must not exist. Raises NotFoundError."""
        async with self.tree(source) as tree:
            await self._worker.finish(_copy, tree, path, directory, target)


def open_context(path: str) -> int:
    """A descriptor of the directory. Raises InvalidError, NotFoundError."""
    if not os.path.isabs(path):
        raise InvalidError(f"context {path!r} is no absolute path")
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise NotFoundError(f"context {path!r}: {(error.strerror or str(error)).lower()}") from error


def _copy(tree: Tree, path: str, directory: Path, target: str) -> None:
    root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        Copier(tree, root).copy(tree.find(clean(path)), target)
    finally:
        os.close(root)
