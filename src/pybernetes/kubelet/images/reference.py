"""Image names as users write them (the distribution project's reference grammar)."""

import re

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_REFERENCE = re.compile(
    rf"(?P<name>(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?",
    re.ASCII,
)
MAX_NAME = 255
DEFAULT_HOST = "docker.io"


class InvalidReferenceError(ValueError):
    """The text is no image reference; the message is upstream's."""


def with_default_tag(image: str) -> str:
    """The image with `:latest` if it names neither tag nor digest. Raises InvalidReferenceError."""
    match = _REFERENCE.fullmatch(image)
    if match is None:
        lowered = _REFERENCE.fullmatch(image.lower())
        why = "repository name must be lowercase" if lowered else "invalid reference format"
        raise InvalidReferenceError(f'couldn\'t parse image name "{image}": {why}')
    if len(match["name"]) > MAX_NAME:
        raise InvalidReferenceError(
            f'couldn\'t parse image name "{image}": repository name must not be more than 255 characters'
        )
    return image if match["tag"] or match["digest"] else f"{image}:latest"


def registry_of(image: str) -> tuple[str, str]:
    """Registry host and repository path: `nginx:1` is docker.io and library/nginx."""
    match = _REFERENCE.fullmatch(image)
    name = match["name"] if match else image
    host, slash, path = name.partition("/")
    if slash and ("." in host or ":" in host or host == "localhost"):
        return host, path
    return DEFAULT_HOST, name if slash else f"library/{name}"
