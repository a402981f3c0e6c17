"""ADD of URLs: which words are some, under which names their files come, what is asked of them. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

from pybernetes.builder.dockerfile.errors import ParseError, RefusedError
from pybernetes.cri.building import RemoteFile

_GIT = ("git://", "git@", "ssh://")
_CHECKSUM = re.compile(r"sha256:[0-9a-f]{64}")


def remote_files(patterns: Sequence[str], target: str, checksum: str, line: int) -> tuple[RemoteFile, ...]:
    """What has to be fetched, if anything; then all of `patterns` are URLs. Raises ParseError.

    `target` is where ADD puts them; files of a directory keep the last part of their URL's path as their name.
    """
    for word in patterns:
        if word.startswith(_GIT) or (_is_url(word) and _path(word).endswith(".git")):
            raise RefusedError(line, f"ADD of a git repository ({word}) is not supported: clone it in a RUN")
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
