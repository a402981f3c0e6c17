"""What the query of a list or watch asks for."""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from pybernetes.api import field as fields
from pybernetes.api.errors import StatusError, bad_request, invalid, unexpected
from pybernetes.api.field import ErrorList, Path, quote
from pybernetes.api.selectors import fields as field_selectors
from pybernetes.api.selectors import labels as label_selectors
from pybernetes.api.selectors.fields import FieldSelector
from pybernetes.api.selectors.labels import LabelSelector, SelectorError
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.http.message import Request
from pybernetes.apiserver.registry.options import parse_integer
from pybernetes.apiserver.registry.served import Served
from pybernetes.apiserver.resources.strategy import Strategy
from pybernetes.wire.numbers import parse_number

_MATCH: Final = Path("resourceVersionMatch")


class ListOptions(Struct, frozen=True):
    """`version` is "" where the query has none; `send_initial_events` is None where it has none."""

    labels: LabelSelector = label_selectors.EVERYTHING
    fields: FieldSelector = field_selectors.EVERYTHING
    version: str = ""
    match: str = ""
    limit: int = 0
    continue_: str = ""
    watch: bool = False
    bookmarks: bool = False
    send_initial_events: bool | None = None
    timeout_seconds: int = 0

    @property
    def revision(self) -> int:
        """The revision that `version` names; 0 for none and for "0"."""
        return parse_revision(self.version)

    @property
    def selects_everything(self) -> bool:
        return self.labels.is_everything and self.fields.is_everything


def is_watch(request: Request) -> bool:
    """Whether a GET of a collection asks to watch."""
    return "watch" in request.query and truth(request.parameter("watch"))


def truth(text: str) -> bool:
    """A query parameter as upstream reads booleans: anything but "false" and "0" is true."""
    return text.lower() not in ("false", "0")


def parse_revision(text: str) -> int:
    """A resource version; 0 for none. Raises StatusError."""
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()):
        raise _bad_version(text, "invalid syntax")
    number = parse_number(text.lstrip("0") or "0", (1 << 64) - 1)
    if number is None:
        raise _bad_version(text, "value out of range")
    return number


def _bad_version(text: str, why: str) -> StatusError:
    shown = quote(text)
    return unexpected(f"resourceVersion: Invalid value: {shown}: strconv.ParseUint: parsing {shown}: {why}")


def list_options(request: Request, served: Served, *, watch: bool = False) -> ListOptions:
    """Options of a query. Raises StatusError 400 or 422."""
    query = request.query
    if not query:
        return ListOptions()
    timeout, limit = _integer(request, "timeoutSeconds"), _integer(request, "limit")  # read first, in this order
    options = ListOptions(
        labels=_label_selector(request.parameter("labelSelector")),
        fields=_field_selector(request.parameter("fieldSelector")),
        version=request.parameter("resourceVersion"),
        match=request.parameter("resourceVersionMatch"),
        limit=limit,
        continue_=request.parameter("continue"),
        watch=watch,
        bookmarks="allowWatchBookmarks" in query and truth(request.parameter("allowWatchBookmarks")),
        send_initial_events=truth(request.parameter("sendInitialEvents")) if "sendInitialEvents" in query else None,
        timeout_seconds=timeout,
    )
    wrong = _watch_errors(options) if watch else _list_errors(options)
    if wrong:
        raise invalid("meta.k8s.io", "ListOptions", "", wrong)
    for requirement in sorted(options.fields.requirements, key=lambda one: one.field):
        if not served.strategy.selects_by(requirement.field, served.resource):
            raise bad_request(served.strategy.unknown_field(requirement.field))
    return options


def of_name(options: ListOptions, name: str) -> ListOptions:
    """The same for the object of this name alone. Raises StatusError 400 if a selector is for others."""
    if options.fields.is_everything:
        return replace(options, fields=field_selectors.of("metadata.name", name))
    if options.fields.exact("metadata.name") != name:
        raise bad_request("fieldSelector metadata.name doesn't match requested name")
    return options


def _integer(request: Request, name: str) -> int:
    if name not in request.query:
        return 0
    return parse_integer(request.parameter(name))


def _label_selector(text: str) -> LabelSelector:
    if not text:
        return label_selectors.EVERYTHING
    try:
        return label_selectors.parse(text)
    except SelectorError as error:
        raise bad_request(str(error)) from error


def _field_selector(text: str) -> FieldSelector:
    if not text:
        return field_selectors.EVERYTHING
    try:
        return field_selectors.parse(text)
    except SelectorError as error:
        raise bad_request(str(error)) from error


def _watch_errors(options: ListOptions) -> ErrorList:
    errors: ErrorList = []
    if options.send_initial_events is not None and options.match != "NotOlderThan":
        errors.append(fields.forbidden(_MATCH, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"))  # fmt: skip
    if options.send_initial_events is None and options.match:
        errors.append(fields.forbidden(_MATCH, "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"))  # fmt: skip
    if options.match not in ("", "NotOlderThan"):
        errors.append(fields.not_supported(_MATCH, options.match, ["NotOlderThan"]))
    if options.continue_ and (options.match or options.version in ("", "0")):  # of which a match is assumed
        errors.append(fields.forbidden(_MATCH, "resourceVersionMatch is forbidden when continue is provided"))
    return errors


def _list_errors(options: ListOptions) -> ErrorList:
    errors: ErrorList = []
    if options.send_initial_events is not None:
        errors.append(fields.forbidden(Path("sendInitialEvents"), "sendInitialEvents is forbidden for list"))
    if not options.match:
        return errors
    if not options.version:
        errors.append(fields.forbidden(_MATCH, "resourceVersionMatch is forbidden unless resourceVersion is provided"))
    if options.continue_:
        errors.append(fields.forbidden(_MATCH, "resourceVersionMatch is forbidden when continue is provided"))
    if options.match not in ("Exact", "NotOlderThan"):
        errors.append(fields.not_supported(_MATCH, options.match, ["Exact", "NotOlderThan", ""]))
    if options.match == "Exact" and options.version == "0":
        errors.append(fields.forbidden(_MATCH, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
    return errors


def matches(item: Item, options: ListOptions, strategy: Strategy) -> bool:
    """Whether the selectors take the object."""
    if not options.labels.is_everything and not options.labels.matches(item.labels):
        return False
    return options.fields.is_everything or options.fields.matches(selectable_fields(item, strategy))


def selectable_fields(item: Item, strategy: Strategy) -> dict[str, str]:
    """What field selectors may ask of the object; made once."""
    if item.fields is None:
        metadata = item.tree["metadata"]
        item.fields = strategy.selectable_fields(item.tree) | {
            "metadata.name": metadata["name"],
            "metadata.namespace": metadata.get("namespace", ""),
        }
    return item.fields


def selected_name(request: Request) -> str:
    """The name that a field selector pins, for authorization by name; "" for none or an unreadable selector."""
    text = request.parameter("fieldSelector")
    if "metadata.name" not in text:
        return ""
    try:
        return field_selectors.parse(text).exact("metadata.name") or ""
    except SelectorError:
        return ""
