"""Content types: what a client wants to get, and what it has sent."""

from __future__ import annotations

from typing import Final, NamedTuple

from pybernetes.api.caching import short_cache
from pybernetes.api.errors import StatusError, not_acceptable, unsupported_media_type

JSON: Final = "application/json"
YAML: Final = "application/yaml"
PROTOBUF: Final = "application/vnd.kubernetes.protobuf"
OBJECT_TYPES: Final = (JSON, YAML, PROTOBUF)
STREAM_TYPES: Final = ("application/json;stream=watch", "application/vnd.kubernetes.protobuf;stream=watch")
TABLE: Final = "Table"
PARTIAL: Final = "PartialObjectMetadata"
PARTIAL_LIST: Final = "PartialObjectMetadataList"


class Format(NamedTuple):
    """What to answer in: a media type, and optionally a transformation (`as=Table;v=v1;g=meta.k8s.io`)."""

    media_type: str = JSON
    kind: str = ""
    version: str = ""
    pretty: bool = False


def clauses(accept: str) -> list[tuple[str, dict[str, str]]]:
    """Media ranges with their parameters, the most wanted first."""
    found: list[tuple[float, int, str, dict[str, str]]] = []
    for position, clause in enumerate(accept.split(",")):
        media, *pairs = (part.strip() for part in clause.split(";"))
        parameters = dict(pair.partition("=")[::2] for pair in pairs if "=" in pair)
        try:
            quality = float(parameters.pop("q", "1"))
        except ValueError:
            quality = 1.0
        if media:
            found.append((-quality, position, media, parameters))
    return [(media, parameters) for _, _, media, parameters in sorted(found, key=lambda one: one[:2])]


def matches(media: str, offered: str) -> bool:
    """Whether a media range covers a type."""
    return media in ("*/*", offered) or (media.endswith("/*") and offered.startswith(media[:-1]))


@short_cache(512)
def negotiate(accept: str, *, transformable: bool = False, protobuf: bool = False, streams: bool = False) -> Format:
    """The format for a header; JSON without one. Raises StatusError 406.

    As upstream's router does it before its serializers: one range must be a type that is offered, letter by letter,
    or any at all; what comes with `q=0` is only wanted least.

    `transformable`: Table and PartialObjectMetadata are offered. `protobuf`: the kind has a message.
    `streams`: watches are told at the same path, in formats that the refusal names too.
    """
    if not accept:
        return Format()
    asked = clauses(accept)
    if not any(media == "*/*" or media in OBJECT_TYPES for media, _ in asked):
        raise no_representation(OBJECT_TYPES + STREAM_TYPES if streams else OBJECT_TYPES)
    for media, parameters in asked:
        offered = next((one for one in OBJECT_TYPES if matches(media, one)), None)
        if offered is None:
            continue
        if offered == PROTOBUF and (not protobuf or parameters.get("as") == TABLE):
            continue
        wanted = parameters.get("as", "")
        if not wanted or not transformable:
            if not wanted:
                return Format(offered)
            continue
        version = parameters.get("v", "")
        if (
            wanted in (TABLE, PARTIAL, PARTIAL_LIST)
            and parameters.get("g", "") == "meta.k8s.io"
            and version in ("v1", "v1beta1")
        ):
            return Format(offered, wanted, version)
    raise not_acceptable(OBJECT_TYPES)


def negotiate_stream(accept: str, *, protobuf: bool = False) -> Format:
    """The format of a watch: as `negotiate`, but YAML cannot be streamed."""
    found = negotiate(accept, transformable=True, protobuf=protobuf, streams=True)
    if found.media_type == YAML:
        raise not_acceptable(STREAM_TYPES)
    return found


def no_representation(offered: tuple[str, ...]) -> StatusError:
    """Nothing that the client names is spoken here."""
    message = "406: Not Acceptable\n\nAvailable representations: " + ", ".join(offered)
    return StatusError(406, "NotAcceptable", message, {})


@short_cache(256)
def content_type(header: str) -> str:
    """The media type of a request's body; JSON without a header. Raises StatusError 415."""
    media = header.partition(";")[0].strip().lower() or JSON
    if media not in OBJECT_TYPES:
        raise unsupported_media_type(OBJECT_TYPES)
    return media
