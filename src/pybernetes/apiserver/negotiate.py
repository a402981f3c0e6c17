"""Content types: what a client wants to get, and what it has sent."""

from __future__ import annotations

import re
from typing import Final, NamedTuple, TypeAlias

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
PLAIN: Final = "text/plain"
AGGREGATED: Final = "APIGroupDiscoveryList"
Kinds: TypeAlias = frozenset[tuple[str, str, str]]
"""What may stand behind `as`, `v` and `g` of a media range."""
VIEWS: Final[Kinds] = frozenset(
    (kind, version, "meta.k8s.io") for kind in (TABLE, PARTIAL, PARTIAL_LIST) for version in ("v1", "v1beta1")
)
PARTIALS: Final[Kinds] = frozenset(view for view in VIEWS if view[0] != TABLE)
_CONVERTING: Final = ("as", "v", "g")
DISCOVERY: Final[Kinds] = frozenset(((AGGREGATED, "v2", "apidiscovery.k8s.io"),))


_TOKEN: Final = r"[-!#$%&'*+.^_`|~0-9A-Za-z]+"
_PARAMETER: Final = rf'({_TOKEN})\s*=\s*(?:{_TOKEN}|"[^"]*")\s*'
_PARAMETERS: Final = re.compile(rf"(?:\s*{_PARAMETER};)*\s*(?:{_PARAMETER})?")
"""What stands behind a media type and a semicolon (RFC 2045)."""


class Format(NamedTuple):
    """What to answer in: a media type, and optionally a transformation (`as=Table;v=v1;g=meta.k8s.io`).

    `pretty`: JSON is laid out for people.
    """

    media_type: str = JSON
    kind: str = ""
    version: str = ""
    pretty: bool = False


class _Clause(NamedTuple):
    media: str
    parameters: dict[str, str]
    quality: float

    def precedes(self, other: _Clause) -> bool:
        """As upstream's parser compares: which is no order, so that its way of sorting matters too."""
        if self.quality > other.quality:
            return True
        (kind, _, part), (other_kind, _, other_part) = self.media.partition("/"), other.media.partition("/")
        return (kind != "*" and other_kind == "*") or (part != "*" and other_part == "*")


def clauses(accept: str) -> list[tuple[str, dict[str, str]]]:
    """Media ranges with their parameters, the most wanted first."""
    found: list[_Clause] = []
    for clause in accept.split(","):
        media, *pairs = (part.strip() for part in clause.split(";"))
        parameters = {
            name.strip(): value.strip() for name, _, value in (pair.partition("=") for pair in pairs if "=" in pair)
        }
        try:
            quality = float(parameters.pop("q", "1"))
        except ValueError:
            quality = 1.0
        if not media:
            continue
        found.append(_Clause(media, parameters, quality))
        place = len(found) - 1
        while place and found[place].precedes(found[place - 1]):
            found[place - 1], found[place] = found[place], found[place - 1]
            place -= 1
    return [(one.media, one.parameters) for one in found]


def matches(media: str, offered: str) -> bool:
    """Whether a media range covers a type."""
    return media in ("*/*", offered) or (media.endswith("/*") and offered.startswith(media[:-1]))


def is_routed(accept: str, offered: tuple[str, ...] = OBJECT_TYPES) -> bool:
    """Whether upstream's router finds a type in the header that is offered, letter by letter, or any at all."""
    return not accept or any(media == "*/*" or media in offered for media, _ in clauses(accept))


def negotiate_text(accept: str) -> None:
    """Of a page of text: upstream's router offers text, its serializers an object. Raises StatusError 406."""
    if not is_routed(accept, (PLAIN, *OBJECT_TYPES)):
        raise no_representation((PLAIN, *OBJECT_TYPES))
    negotiate(accept, protobuf=True, routed=False)


@short_cache(512)
def negotiate(
    accept: str,
    *,
    kinds: Kinds = frozenset(),
    protobuf: bool = False,
    streams: bool = False,
    routed: bool = True,
    pretty: bool = False,
) -> Format:
    """The format for a header; JSON without one. Raises StatusError 406.

    As upstream's router does it before its serializers, where one stands before them (`routed`): one range must be a
    type that is offered, letter by letter, or any at all; what comes with `q=0` is only wanted least.

    `kinds`: the views that are offered, such as Table. `protobuf`: the kind has a message; views of metadata always do.
    `streams`: watches are told at the same path, in formats that the refusal names too. `pretty`: for people.
    """
    if not accept:
        return Format(pretty=pretty)
    asked = clauses(accept)
    if routed and not is_routed(accept):
        raise no_representation(OBJECT_TYPES + STREAM_TYPES if streams else OBJECT_TYPES)
    for media, parameters in asked:
        offered = next((one for one in OBJECT_TYPES if matches(media, one)), None)
        wanted, version = parameters.get("as", ""), parameters.get("v", "")
        if offered is None or (offered == PROTOBUF and not protobuf and wanted not in (PARTIAL, PARTIAL_LIST)):
            continue
        stream = parameters.get("stream", "")
        if stream and (stream != "watch" or offered == YAML):
            continue
        if wanted == TABLE and offered == PROTOBUF:
            continue
        laid_out = offered == JSON and (pretty or parameters.get("pretty") == "1")
        if not any(parameters.get(name) for name in _CONVERTING):
            return Format(offered, pretty=laid_out)
        if (wanted, version, parameters.get("g", "")) in kinds:
            return Format(offered, wanted, version, laid_out)
    raise not_acceptable(OBJECT_TYPES)


@short_cache(64)
def wants_aggregated(accept: str, *, pretty: bool = False) -> Format | None:
    """The format of aggregated discovery, if the client takes that, however little it wants it."""
    for media, parameters in clauses(accept):
        offered = next((one for one in OBJECT_TYPES if matches(media, one)), None)
        wanted = parameters.get("as", ""), parameters.get("v", ""), parameters.get("g", "")
        if offered is not None and wanted in DISCOVERY:
            return Format(offered, *wanted[:2], pretty=pretty and offered == JSON)
    return None


def negotiate_stream(accept: str, *, protobuf: bool = False) -> Format:
    """The format of a watch: as `negotiate`, but YAML cannot be streamed."""
    found = negotiate(accept, kinds=VIEWS, protobuf=protobuf, routed=protobuf, streams=True)
    if found.media_type == YAML:
        raise not_acceptable(STREAM_TYPES)
    return found._replace(pretty=False)


def no_representation(offered: tuple[str, ...]) -> StatusError:
    """Nothing that the client names is spoken here."""
    message = "406: Not Acceptable\n\nAvailable representations: " + ", ".join(offered)
    return StatusError(406, "NotAcceptable", message, {})


@short_cache(256)
def content_type(header: str) -> str:
    """The media type of a request's body; JSON without a header. Raises StatusError 415."""
    media, semicolon, parameters = header.partition(";")
    media = media.strip().lower() or ("" if semicolon else JSON)
    if media not in OBJECT_TYPES or not _PARAMETERS.fullmatch(parameters):
        raise unsupported_media_type(OBJECT_TYPES)
    names = [found[0].lower() for found in re.findall(_PARAMETER, parameters)]
    if len(set(names)) < len(names):
        raise unsupported_media_type(OBJECT_TYPES)
    return media
