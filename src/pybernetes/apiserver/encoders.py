"""The encoder for each served resource and format, made once."""

from __future__ import annotations

from pybernetes.api.errors import StatusError
from pybernetes.apiserver.encoding import Encoder, JSONEncoder
from pybernetes.apiserver.negotiate import PARTIAL, PARTIAL_LIST, PROTOBUF, TABLE, YAML, Format
from pybernetes.apiserver.registry.served import Served
from pybernetes.apiserver.table.encoder import TableEncoder
from pybernetes.apiserver.transformed import PartialEncoder, PrettyEncoder, ProtobufEncoder, YAMLEncoder


class Encoders:
    """Makes encoders; each is kept with the resource that it is of, and goes with that."""

    def single(self, served: Served, wanted: Format, include: str = "") -> Encoder:
        """For an object by itself. Raises StatusError 400 or 406."""
        if wanted.kind == PARTIAL_LIST:
            raise no_list(wanted.kind, _go_name(served))
        return self._get(served, wanted, include)

    def collection(self, served: Served, wanted: Format, include: str = "") -> Encoder:
        """For a list. Raises StatusError 400 or 406."""
        if wanted.kind == PARTIAL:
            what = f"you requested {wanted.kind}, but the requested object is a list (*{_go_name(served)}List)"
            raise not_acceptable_because(what)
        return self._get(served, wanted, include)

    def _get(self, served: Served, wanted: Format, include: str) -> Encoder:
        key = (wanted, include if wanted.kind == TABLE else "")
        found: Encoder | None = served.encoders.get(key)
        if found is None:
            found = served.encoders[key] = _make(served, wanted, include)
        return found


def _make(served: Served, wanted: Format, include: str) -> Encoder:
    made: Encoder
    if wanted.kind == TABLE:
        made = TableEncoder(served, wanted.version, include)
    elif wanted.kind:
        made = PartialEncoder(served, wanted.version)
    else:
        made = JSONEncoder(served)
    if wanted.media_type == YAML:
        return YAMLEncoder(made)
    if wanted.pretty:
        return PrettyEncoder(made)
    if wanted.media_type == PROTOBUF:
        return ProtobufEncoder(made)
    return made


def not_acceptable_because(message: str) -> StatusError:
    return StatusError(406, "NotAcceptable", message)


def _go_name(served: Served) -> str:
    return "unstructured.Unstructured" if served.custom else go_name(served.resource.group, served.resource.kind)


def go_name(group: str, kind: str) -> str:
    """The name that upstream's messages give a kind: the package of its group, then the kind."""
    return f"{group.partition('.')[0] or 'core'}.{kind}"


def no_list(wanted: str, go_type: str) -> StatusError:
    """A view of lists is wanted of one object."""
    return not_acceptable_because(f"you requested {wanted}, but the requested object is not a list (*{go_type})")
