"""ADD of URLs: which words are some, under which names their files come, what is asked of them. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

from pybernetes.builder.dockerfile.errors import ParseError
from pybernetes.cri.building import RemoteFile, RemoteRepository

_GIT = ("git://", "git@", "ssh://")
_CHECKSUM = re.compile(r"sha256:[0-9a-f]{64}")


def remote_files(patterns: Sequence[str], target: str, checksum: str, line: int) -> tuple[RemoteFile, ...]:
    """What has to be fetched, if anything; then all of `patterns` are URLs. Raises ParseError.

    `target` is where ADD puts them; files of a directory keep the last part of their URL's path as their name.
    """
    urls = [word for word in patterns if _is_url(word)]
    if checksum and not urls:
        raise ParseError(line, "checksum can't be specified for non-HTTP(S) sources")
    if checksum and len(urls) > 1:
        raise ParseError(line, "checksum can't be specified for multiple sources")
    if checksum and not _CHECKSUM.fullmatch(checksum):
        raise ParseError(line, f"invalid checksum digest format: {checksum}")
    if urls and len(urls) < len(patterns):
        raise ParseError(line, "ADD takes URLs or files of the context: write an instruction for each")
    return tuple(RemoteFile(url, _name(url, target, line), checksum) for url in urls)


def remote_repository(patterns: Sequence[str], keeps_git: bool, line: int) -> tuple[RemoteRepository, str] | None:
    """The git repository that ADD names, as `URL[#REF[:DIRECTORY]]`, with the directory. Raises ParseError."""
    if not any(_is_repository(word) for word in patterns):
        return None
    if len(patterns) > 1:
        raise ParseError(line, "ADD takes one git repository: write an instruction for each")
    url, _, fragment = patterns[0].partition("#")
    ref, _, directory = fragment.partition(":")
    if ref.startswith("-") or ".." in directory.split("/"):
        raise ParseError(line, f"invalid git reference: {fragment}")
    return RemoteRepository(url, ref, keeps_git), directory.strip("/") or "."


def _is_repository(word: str) -> bool:
    return word.startswith(_GIT) or (_is_url(word) and _path(word).endswith(".git"))


def _is_url(word: str) -> bool:
    return word.startswith(("http://", "https://"))


def _path(url: str) -> str:
    return urlsplit(url).path


def _name(url: str, target: str, line: int) -> str:
    name = unquote(_path(url)).rpartition("/")[2]
    if name not in ("", ".", ".."):
        return name
    if target.endswith("/"):
        raise ParseError(line, f"cannot determine filename for source {url}")
    return "file"
