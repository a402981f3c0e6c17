"""The names in a registry's paths: repositories, tags, digests. All of them are safe as names of files."""

import re

from pybernetes.registry.errors import RegistryError
from pybernetes.wire.images.reference import is_digest

_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_UPLOAD = re.compile(r"[0-9a-f]{32}")
_NAME_LIMIT = 255


def repository(name: str) -> str:
    """The name, if it can be one. Raises RegistryError."""
    if len(name) > _NAME_LIMIT or not _REPOSITORY.fullmatch(name):
        raise RegistryError("NAME_INVALID", {"name": name})
    return name


def digest(text: str) -> str:
    """The digest, if it is one that the registry can verify (sha256). Raises RegistryError."""
    if not is_digest(text):
        raise RegistryError("DIGEST_INVALID", {"digest": text})
    return text


def reference(text: str) -> str:
    """A tag or a digest. Raises RegistryError."""
    if ":" in text:
        return digest(text)
    if not _TAG.fullmatch(text):
        raise RegistryError("TAG_INVALID", {"tag": text})
    return text


def upload(text: str) -> str:
    if not _UPLOAD.fullmatch(text):
        raise RegistryError("BLOB_UPLOAD_UNKNOWN", {"upload": text})
    return text
