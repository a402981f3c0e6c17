"""One repository on one server: manifests and blobs, down and up (OCI distribution spec 1.1)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import msgspec
from msgspec import Struct

from pybernetes.runtime.images.registry import challenge
from pybernetes.runtime.images.registry.auth import Question, authorization, server_message
from pybernetes.runtime.images.registry.credentials import Credential
from pybernetes.runtime.images.registry.errors import (
    DeniedError,
    RegistryError,
    StatusError,
    UnknownImageError,
    WrongCredentialsError,
)
from pybernetes.runtime.images.registry.http import CONNECT_SECONDS, Http
from pybernetes.runtime.images.registry.options import Endpoint
from pybernetes.wire.images.documents import ACCEPT, DOCUMENT_LIMIT
from pybernetes.wire.images.reference import is_digest

if TYPE_CHECKING:
    from pybernetes.runtime.images.registry.session import Answer

_ERROR_LIMIT = 64 << 10
_NEXT = re.compile(r'<([^>]+)>;\s*rel="?next"?')


class _Problem(msgspec.Struct, frozen=True):
    code: str = ""
    message: str = ""


class _Problems(msgspec.Struct, frozen=True):
    errors: list[_Problem] = []


class _Tags(msgspec.Struct, frozen=True):
    tags: list[str] | None = None


class Access(Struct, frozen=True):
    """Where a repository is, who asks, and for what (`pull` or `pull,push`)."""

    endpoint: Endpoint
    path: str
    credential: Credential | None = None
    actions: str = "pull"
    connect_seconds: float = CONNECT_SECONDS

    @property
    def wanted(self) -> str:
        """What is denied, if it is."""
        return "push" if "push" in self.actions else "pull"


class Repository:
    """Requests about one repository; remembers the authorization that the server wanted."""

    def __init__(self, http: Http, access: Access) -> None:
        self._http = http
        self._access = access
        self._authorization = ""

    async def resolve(self, object: str) -> str:
        """The digest that a tag stands for ("" if the server does not say). Raises UnknownImageError."""
        async with await self._send("HEAD", f"manifests/{object}", {"Accept": ACCEPT}) as answer:
            if answer.status == 404:
                raise UnknownImageError("not found")
            # Some registries answer HEAD with 400 or 405: then the GET decides.
            if answer.status not in (200, 400, 405):
                raise StatusError("HEAD", answer.url, answer.reason)
            digest = answer.headers.get("Docker-Content-Digest", "")
            return digest if answer.status == 200 and is_digest(digest) else ""

    async def manifest(self, object: str) -> bytes:
        """The document that a tag or digest stands for; a digest is verified. Raises UnknownImageError."""
        async with await self._send("GET", f"manifests/{object}", {"Accept": ACCEPT}) as answer:
            if answer.status == 404:
                raise UnknownImageError("not found")
            await _expect(answer, 200)
            data = await answer.read(DOCUMENT_LIMIT)
        found = f"sha256:{sha256(data).hexdigest()}"
        if is_digest(object) and found != object:
            raise RegistryError(f"manifest has digest {found}, expected {object}")
        return data

    async def tags(self, pages: int = 10) -> list[str]:
        """The repository's tags, of so many pages at most. Raises UnknownImageError."""
        found: list[str] = []
        target: str = "tags/list?n=1000"
        for _ in range(pages):
            async with await self._send("GET", target) as answer:
                if answer.status == 404:
                    raise UnknownImageError("not found")
                await _expect(answer, 200)
                data = await answer.read(DOCUMENT_LIMIT)
                following = _NEXT.search(answer.headers.get("Link", ""))
            try:
                found += msgspec.json.decode(data, type=_Tags).tags or []
            except msgspec.DecodeError as error:
                raise RegistryError(f"no list of tags: {error}") from error
            if following is None:
                break
            target = self._same_host(urljoin(answer.url, following[1]))
        return found

    @asynccontextmanager
    async def blob(self, digest: str, offset: int = 0) -> AsyncIterator[tuple[int, AsyncIterator[bytes]]]:
        """The bytes of a blob from where the server starts, which is `offset` or 0. They are not verified here."""
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        async with await self._send("GET", f"blobs/{digest}", headers) as answer:
            if answer.status == 404:
                raise UnknownImageError(f"{digest}: not found")
            await _expect(answer, 200, 206)
            yield (offset if answer.status == 206 else 0), answer.chunks()

    async def has_blob(self, digest: str) -> bool:
        async with await self._send("HEAD", f"blobs/{digest}") as answer:
            return answer.status == 200

    async def start_upload(self, digest: str, mount_from: str = "") -> str:
        """Where to send a blob's chunks; "" if the server has it already or took it from repository `mount_from`."""
        query = {"mount": digest, "from": mount_from} if mount_from else None
        async with await self._send("POST", "blobs/uploads/", query=query) as answer:
            await _expect(answer, 201, 202)
            return "" if answer.status == 201 else self._location(answer)

    async def upload_chunk(self, location: str, offset: int, data: bytes) -> str:
        """Send the next bytes; returns where to send what follows."""
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Range": f"{offset}-{offset + len(data) - 1}",
        }
        async with await self._send("PATCH", location, headers, body=data) as answer:
            await _expect(answer, 202)
            return self._location(answer)

    async def finish_upload(self, location: str, digest: str) -> None:
        joint = "&" if urlsplit(location).query else "?"
        async with await self._send("PUT", f"{location}{joint}digest={digest}", body=b"") as answer:
            await _expect(answer, 201)

    async def put_manifest(self, object: str, data: bytes, media_type: str) -> None:
        async with await self._send("PUT", f"manifests/{object}", {"Content-Type": media_type}, body=data) as answer:
            await _expect(answer, 201)

    def _location(self, answer: Answer) -> str:
        """An upload goes on at the same server, whatever the answer says: our authorization is for it alone."""
        return self._same_host(urljoin(answer.url, answer.headers.get("Location", "")))

    def _same_host(self, url: str) -> str:
        if urlsplit(url).hostname != urlsplit(self._access.endpoint.url).hostname:
            raise RegistryError(f"registry sends a request to another host: {url}")
        return url

    async def _send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Send, proving who we are when asked. Raises DeniedError."""
        access = self._access
        url = target if "://" in target else f"{access.endpoint.url}/v2/{access.path}/{target}"
        for last in (False, True):
            proof = {"Authorization": self._authorization} if self._authorization else {}
            answer = await self._http.send(
                method,
                url,
                headers={**(headers or {}), **proof},
                query=query,
                body=body,
                connect_seconds=access.connect_seconds,
            )
            if answer.status != 401:
                return answer
            async with answer:
                challenges = challenge.parse(answer.headers.getall("WWW-Authenticate", []))
            if last:
                break
            scope = f"repository:{access.path}:{access.actions}"
            question = Question(access.endpoint.url, scope, access.credential)
            self._authorization = await authorization(self._http, question, challenges, access.wanted)
        if message := server_message(challenges):
            raise DeniedError(message, access.wanted)
        raise WrongCredentialsError(answer.what)


async def _expect(answer: Answer, *statuses: int) -> None:
    if answer.status in statuses:
        return
    try:
        problems = msgspec.json.decode(await answer.read(_ERROR_LIMIT), type=_Problems).errors
    except (msgspec.DecodeError, RegistryError):
        problems = []
    detail = "; ".join(f"{problem.code.lower()}: {problem.message}" for problem in problems)
    method = answer.what.partition(" ")[0]
    raise StatusError(method, answer.url.partition("?")[0], answer.reason, detail)
