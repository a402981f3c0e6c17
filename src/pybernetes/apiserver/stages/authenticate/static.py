"""Static tokens of `--token-auth-file`: lines of token, user name, user uid and, optionally, groups."""

import csv
import hashlib
import logging
from collections.abc import Iterable, Mapping

from msgspec import Struct

from pybernetes.apiserver.user import UserInfo

log = logging.getLogger(__name__)
COLUMNS = 3


class TokenFileError(ValueError):
    """The file is not as upstream wants it; the text names the line."""


class StaticTokens(Struct, frozen=True):
    """Users by the digest of their token, so that how long a look-up takes tells nothing of a token."""

    users: Mapping[bytes, UserInfo]

    def authenticate_token(self, token: str) -> UserInfo | None:
        return self.users.get(_digest(token))


def parse_tokens(lines: Iterable[str], path: str) -> StaticTokens:
    """The users of a token file; `path` is for messages. Raises TokenFileError."""
    users: dict[bytes, UserInfo] = {}
    for number, record in enumerate(csv.reader(lines, skipinitialspace=True), start=1):
        if not record:
            continue
        if len(record) < COLUMNS:
            raise TokenFileError(
                f"token file {path!r} must have at least 3 columns (token, user name, user uid), found {len(record)}"
            )
        token, name, uid, *groups = (field.strip() for field in record)
        if not token:
            log.warning("empty token file=%s record=%d", path, number)
            continue
        if _digest(token) in users:
            log.warning("duplicate token file=%s record=%d", path, number)
        members = tuple(group.strip() for group in groups[0].split(",") if group.strip()) if groups else ()
        users[_digest(token)] = UserInfo(name, uid, members)
    return StaticTokens(users)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
