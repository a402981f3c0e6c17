"""Files that ADD takes from the network: fetched anew by each build, kept for as long as it needs them."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path

from pybernetes.aio.threads import Worker
from pybernetes.cri.building import RemoteFile, RemoteRepository, Source
from pybernetes.cri.errors import CRIError
from pybernetes.runtime.building.repositories import check_out
from pybernetes.runtime.images.registry.errors import RegistryError
from pybernetes.runtime.images.registry.http import Http

KEEP_SECONDS = 3600.0
"""The step that wants a file comes at once, but may wait for another stage first."""


class Downloads:
    """`directory` is this one's alone; what is left in it is swept by the next fetch, or by `forget`."""

    def __init__(self, directory: Path, http: Http, worker: Worker) -> None:
        self._directory, self._http, self._worker = directory, http, worker

    async def fetch(self, files: Sequence[RemoteFile], name: str) -> Source:
        """The files as a directory called `name`. Raises CRIError."""
        async with self._place(name) as place:
            for file in files:
                await self._fetch(file, place / file.name)
        return Source(context=str(place))

    async def check_out(self, repository: RemoteRepository, name: str) -> Source:
        """The repository's files as a directory called `name`. Raises CRIError."""
        async with self._place(name) as place:
            await check_out(repository, place)
            if not repository.keeps_git:
                await self._worker.run(shutil.rmtree, place / ".git")
        return Source(context=str(place))

    @asynccontextmanager
    async def _place(self, name: str) -> AsyncIterator[Path]:
        """A new directory, which is gone again if the block does not end well."""
        await self._worker.run(self.forget, KEEP_SECONDS)
        place = self._directory / name
        place.mkdir(mode=0o700, parents=True)
        try:
            yield place
        except BaseException as error:
            await self._worker.run(shutil.rmtree, place, True)
            if isinstance(error, RegistryError):
                raise CRIError(str(error)) from error
            raise

    async def _fetch(self, file: RemoteFile, path: Path) -> None:
        digest = hashlib.sha256()
        async with await self._http.send("GET", file.url) as answer:
            if answer.status != 200:
                raise CRIError(f"{file.url}: invalid response status {answer.status}")
            with path.open("xb") as target:
                async for chunk in answer.chunks():
                    digest.update(chunk)
                    await self._worker.finish(target.write, chunk)
            modified = answer.headers.get("Last-Modified", "")
        found = f"sha256:{digest.hexdigest()}"
        if file.checksum and found != file.checksum:
            raise CRIError(f"digest mismatch {found}: {file.checksum}")
        if (seconds := _seconds(modified)) is not None:
            os.utime(path, (seconds, seconds))

    def forget(self, older: float = 0.0) -> int:
        """Delete what was fetched more than so many seconds ago; the bytes that came free. Blocking."""
        freed, before = 0, time.time() - older
        for place in self._directory.iterdir() if self._directory.is_dir() else ():
            if place.stat().st_mtime <= before:
                freed += sum(file.stat().st_size for file in place.iterdir())
                shutil.rmtree(place, ignore_errors=True)
        return freed


def _seconds(date: str) -> float | None:
    """Of an HTTP date; None for none, or for what is none."""
    try:
        return parsedate_to_datetime(date).timestamp() if date else None
    except ValueError:
        return None
