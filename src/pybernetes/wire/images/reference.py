"""Names of images: the grammar of distribution/reference, with Docker's defaults for host, library and tag.

`nginx` is `docker.io/library/nginx:latest`; `host:5000/a/b@sha256:…` is taken as it stands. Where a name has both a
tag and a digest, the digest decides and the tag is dropped, as CRI runtimes do.
"""

import re

from msgspec import Struct

DOCKER_HUB = "docker.io"

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_DOMAIN_PART = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_DOMAIN_PART}(?:\.{_DOMAIN_PART})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
_REFERENCE = re.compile(
    rf"(?P<domain>{_DOMAIN})/(?P<path>{_COMPONENT}(?:/{_COMPONENT})*)(?::(?P<tag>{_TAG}))?(?:@(?P<digest>{_DIGEST}))?"
)
_HEX_ID = re.compile(r"[a-f0-9]{64}")
_SHA256 = re.compile(r"sha256:[a-f0-9]{64}")
_NAME_LIMIT = 255


class InvalidReferenceError(ValueError):
    """A name that is no image reference; the text is distribution's, without the name."""


class Reference(Struct, frozen=True):
    """A full name: host, repository, and either a tag or a digest."""

    domain: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def repository(self) -> str:
        """Host and path: `docker.io/library/nginx`."""
        return f"{self.domain}/{self.path}"

    @property
    def object(self) -> str:
        """What a registry is asked for: the digest or the tag."""
        return self.digest or self.tag

    def __str__(self) -> str:
        return f"{self.repository}@{self.digest}" if self.digest else f"{self.repository}:{self.tag}"


def parse(name: str) -> Reference:
    """The full reference that `name` stands for. Raises InvalidReferenceError in distribution's words."""
    if _HEX_ID.fullmatch(name):
        raise InvalidReferenceError(f"invalid repository name ({name}), cannot specify 64-byte hexadecimal strings")
    domain, rest = _split_domain(name)
    remote = rest.split("@", 1)[0].split(":", 1)[0]
    if remote != remote.lower():
        raise InvalidReferenceError(f"invalid reference format: repository name ({remote}) must be lowercase")
    found = _REFERENCE.fullmatch(f"{domain}/{rest}")
    if found is None:
        raise InvalidReferenceError("invalid reference format")
    path, tag, digest = found["path"], found["tag"] or "", found["digest"] or ""
    if len(path) > _NAME_LIMIT:
        raise InvalidReferenceError(f"repository name must not be more than {_NAME_LIMIT} characters")
    if digest:
        _check_digest(digest)
        return Reference(domain, path, digest=digest)
    return Reference(domain, path, tag=tag or "latest")


def with_default_tag(name: str) -> str:
    """The name as it was written, with `:latest` if it has neither tag nor digest. Raises InvalidReferenceError."""
    reference = parse(name)
    return name if reference.digest or name.endswith(f":{reference.tag}") else f"{name}:{reference.tag}"


def parse_error(name: str, error: InvalidReferenceError) -> str:
    """The sentence a user reads: `couldn't parse image name "nginx@latest": invalid reference format`."""
    return f'couldn\'t parse image name "{name}": {error}'


def is_digest(text: str) -> bool:
    """Whether this is a digest that the project can verify."""
    return _SHA256.fullmatch(text) is not None


def _split_domain(name: str) -> tuple[str, str]:
    """A first component is a host only if it looks like one: a dot, a port, upper case or `localhost`."""
    first, slash, rest = name.partition("/")
    if not slash or not (set(first) & set(".:") or first == "localhost" or first != first.lower()):
        first, rest = DOCKER_HUB, name
    if first == "index.docker.io":
        first = DOCKER_HUB
    if first == DOCKER_HUB and "/" not in rest:
        rest = f"library/{rest}"
    return first, rest


def _check_digest(digest: str) -> None:
    algorithm, _, encoded = digest.partition(":")
    if algorithm != "sha256":
        raise InvalidReferenceError("unsupported digest algorithm")
    if len(encoded) != 64:
        raise InvalidReferenceError("invalid checksum digest length")
    if encoded != encoded.lower():
        raise InvalidReferenceError("invalid checksum digest format")
