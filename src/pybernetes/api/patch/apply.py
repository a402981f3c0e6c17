"""Server-side apply and the tracking of who owns which field (KEP-555).

    manager = FieldManager(schema, resource.api_version, resource.kind, subresource, reset_fields(...))
    new = manager.update(live, new, "kubectl-edit", now)              # create, update, and all other patches
    new = manager.apply(live, configuration, "argo", False, now)      # application/apply-patch+yaml
    ...                                                               # what the endpoint cannot change goes back
    new = keep_times(live, new)                                       # after admission, before comparing with live

Both run before admission and before a kind's strategy fills in more, since what these set is owned by nobody.
`now` is RFC 3339 in UTC with seconds. Objects are JSON trees, normalised for their kind; none is changed in place.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from pybernetes.api import errors
from pybernetes.api.patch import abandoned, check, last_applied
from pybernetes.api.patch.conflicts import Conflicts
from pybernetes.api.patch.depth import refuses_depth
from pybernetes.api.patch.fields import (
    FieldSet,
    difference,
    folded,
    intersection,
    union,
    without,
)
from pybernetes.api.patch.managed_fields import (
    APPLY,
    STRIPPED,
    UPDATE,
    Entry,
    ManagedFieldsError,
    Managers,
    Versions,
    cap,
    decode,
    encode,
    is_reset,
)
from pybernetes.api.patch.structure import merge
from pybernetes.api.patch.typed import ElementError, compare, field_set
from pybernetes.api.schema import Json, Schema

Tree: TypeAlias = "dict[str, Json]"

_UNMANAGED: Final = "failed to create manager for existing fields"
BEFORE_FIRST_APPLY: Final = "before-first-apply"


class FieldManager(Struct, frozen=True):
    """Keeps `metadata.managedFields` of one kind at one version, for the object or one of its subresources.

    `reset` are the fields that the endpoint ignores in requests (`reset_fields`): writing them makes no owner. Without
    `versions` a field has the same name in all of them.
    """

    schema: Schema
    api_version: str
    kind: str
    subresource: str = ""
    reset: FieldSet = field(default_factory=dict)
    versions: Versions | None = None

    @refuses_depth
    def update(self, live: Tree | None, new: Tree, manager: str, now: str, *, reset: bool = False) -> Tree:
        """`new` with managedFields that give the manager every field that differs from `live` (None: a create).

        A request may itself send managedFields, except through a subresource: they replace the live ones if they can
        be read; an empty list wipes them. Decoding drops empty lists, hence `reset`: what `is_reset` said before.
        An existing object without owners stays without: only a first apply finds out what is set. Where elements of
        lists have no keys to tell them apart, nobody owns anything.
        """
        wiped = not self.subresource and (reset or is_reset(_entries(new)))
        managers = {} if wiped else self._managers_of(live or {}, new)
        new = _bare(new)
        if live is not None and not managers:
            return new
        try:
            return _with_managers(new, self._track(_bare(live or {}), new, managers, manager, now))
        except ElementError:
            return new

    @refuses_depth
    def apply(self, live: Tree | None, config: Tree, manager: str, force: bool, now: str) -> Tree:
        """The live object (None: a create) with the configuration applied, its fields owned by the manager.

        Fields that the manager applied before and does not state any more go, unless others own them. The result is
        not defaulted; it equals `live` in all but managedFields if the configuration changed nothing.
        Raises `StatusError`: 409 with a cause per field that another manager holds, 400 and 500 in upstream's words.
        """
        self._check_type(config)
        config = _bare(config)
        live = live or {}
        try:
            managers = self._decoded(_entries(live))
        except ManagedFieldsError as error:
            raise errors.unexpected(f"failed to decode managed fields: {error}") from error
        try:
            return self._onto(_bare(live), config, managers, manager, force, now)
        except ElementError:
            wrong = check.errors(self.schema, _bare(live), repeats=True)
            words = f"failed to create typed live object {self._named(live)}"
            if not managers:
                words = f"{_UNMANAGED}: failed to convert new object {self._named(live)} to smd typed"
            raise errors.unexpected(f"{words}: {wrong}") from None

    # -- the steps

    def _onto(self, old: Tree, config: Tree, managers: Managers, manager: str, force: bool, now: str) -> Tree:
        if not managers:
            managers = self._track({}, old, {}, BEFORE_FIRST_APPLY, now)
        try:
            return self._applied(old, config, managers, manager, force, now)
        except Conflicts as conflicts:
            if manager != last_applied.MANAGER:
                raise conflicts.status() from None
            left = self._without_client_side(conflicts, old)
            if left.fields:
                raise left.status() from None
        return self._applied(old, config, managers, manager, True, now)

    def _decoded(self, entries: Json, *, stored: bool = False) -> Managers:
        managers = decode(entries, stored=stored)
        if self.schema.definition:
            return managers
        # The definition of a custom resource may have made a list or map atomic since.
        return {key: entry.with_fields(folded(entry.fields, self.schema)) for key, entry in managers.items()}

    def _managers_of(self, live: Tree, new: Tree) -> Managers:
        if not self.subresource and _entries(new) != _entries(live):
            try:
                if managers := self._decoded(_entries(new)):
                    return managers
            except ManagedFieldsError:
                pass  # a client that cannot write them keeps what there is
        try:
            return self._decoded(_entries(live), stored=True)
        except ManagedFieldsError:
            return {}

    def _track(self, old: Tree, new: Tree, managers: Managers, manager: str, now: str) -> Managers:
        changed = compare(self.schema, old, new)
        if changed.is_empty:
            return {key: entry for key, entry in managers.items() if not self._is_gone(entry)}
        taken = without(union(changed.modified, changed.added), self.reset)
        removed = without(changed.removed, self.reset)
        out = self._released(managers, old, new, taken, removed)
        own = difference(taken, STRIPPED)
        if own:
            entry = Entry(manager or "unknown", UPDATE, self.api_version, self.subresource, own, now)
            before = out.get(entry.key)
            out[entry.key] = entry if before is None else entry.with_fields(union(own, before.fields))
        return cap(out)

    def _check_type(self, config: Tree) -> None:
        version, kind = _text(config.get("apiVersion")), _text(config.get("kind"))
        if version.count("/") > 1:
            version, kind = "", ""
        version = version.removeprefix("/")
        if (version, kind) != (self.api_version, self.kind):
            raise errors.bad_request(f"invalid object type: {group_version_kind(version, kind)}")
        entries = _entries(config)
        if isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries):
            raise errors.bad_request("metadata.managedFields must be nil")
        if wrong := check.errors(self.schema, config):
            raise errors.unexpected(f"failed to create typed patch object {self._named(config)}: {wrong}")

    def _named(self, tree: Tree) -> str:
        meta = tree.get("metadata")
        meta = meta if isinstance(meta, dict) else {}
        name = f"{_text(meta.get('namespace'))}/{_text(meta.get('name'))}"
        return f"({name}; {group_version_kind(self.api_version, self.kind)})"

    def _applied(self, live: Tree, config: Tree, managers: Managers, manager: str, force: bool, now: str) -> Tree:
        stated = without(field_set(self.schema, config), self.reset)
        own = Entry(manager, APPLY, self.api_version, self.subresource, stated)
        last = managers.get(own.key)
        new = merge(self.schema, live, config)
        if last is not None:
            own = replace(own, time=last.time)
            new = abandoned.pruned(self.schema, self.api_version, self.versions, new, {**managers, own.key: own}, last)
        tree = new if isinstance(new, dict) else {}
        claimed = self._resolve(live, tree, managers, own, force)
        if fields := difference(stated, STRIPPED):
            claimed[own.key] = replace(own, fields=fields, time=now if tree != live else own.time)
        if manager == last_applied.MANAGER:
            tree = last_applied.synced(tree, config)
        return _with_managers(tree, claimed)

    def _resolve(self, live: Tree, new: Tree, managers: Managers, own: Entry, force: bool) -> Managers:
        """What others keep when `own` is applied; raises `Conflicts` if they would lose fields and that is not forced."""
        changed = compare(self.schema, live, new)
        taken = without(union(changed.modified, changed.added), self.reset)
        others = {key: entry for key, entry in managers.items() if key != own.key}
        if not force:
            theirs = self._taken_elsewhere(others, live, new)
            found = {
                key: (entry, shared)
                for key, entry in others.items()
                if (shared := intersection(entry.fields, theirs.get(entry.api_version, (taken, {}))[0]))
            }
            if found:
                raise Conflicts(found)
        return self._released(others, live, new, taken, without(changed.removed, self.reset))

    def _released(self, managers: Managers, old: Tree, new: Tree, taken: FieldSet, removed: FieldSet) -> Managers:
        """The managers without what another one set or removed, each by the names of its own version."""
        if not managers:
            return {}
        elsewhere = self._taken_elsewhere(managers, old, new)
        out: Managers = {}
        for key, entry in managers.items():
            if self._is_gone(entry):
                continue
            out |= _release({key: entry}, *elsewhere.get(entry.api_version, (taken, removed)))
        return out

    def _is_gone(self, entry: Entry) -> bool:
        """What was noted in a version that there is no longer, or never was, is dropped."""
        if self.versions is not None:
            return self.versions.schema(entry.api_version) is None
        return entry.api_version.rpartition("/")[0] != self.api_version.rpartition("/")[0]

    def _taken_elsewhere(self, managers: Managers, old: Tree, new: Tree) -> dict[str, tuple[FieldSet, FieldSet]]:
        """What was set and what was removed, by the names of each other version in which managers have written."""
        found: dict[str, tuple[FieldSet, FieldSet]] = {}
        if self.versions is None or not old:
            return found
        for version in {entry.api_version for entry in managers.values()} - {self.api_version}:
            schema = self.versions.schema(version)
            if schema is None:
                continue
            changed = compare(schema, self.versions.convert(old, version), self.versions.convert(new, version))
            taken = without(union(changed.modified, changed.added), self.reset)
            found[version] = taken, without(changed.removed, self.reset)
        return found

    def _without_client_side(self, conflicts: Conflicts, live: Tree) -> Conflicts:
        """The conflicts that remain once fields that `kubectl apply` set from the client count as kubectl's own."""
        owned = last_applied.owned(self.schema, live, self.api_version)
        left = {key: (entry, difference(fields, owned)) for key, (entry, fields) in conflicts.fields.items()}
        return Conflicts({key: found for key, found in left.items() if found[1]})


def _release(managers: Managers, taken: FieldSet, removed: FieldSet) -> Managers:
    """The managers without fields that another one set or that are gone; who has none left is dropped."""
    out: Managers = {}
    for key, entry in managers.items():
        fields = difference(difference(entry.fields, taken), removed)
        if fields:
            out[key] = entry if fields == entry.fields else entry.with_fields(fields)
    return out


def _entries(tree: Tree) -> Json:
    meta = tree.get("metadata")
    return meta.get("managedFields") if isinstance(meta, dict) else None


def _bare(tree: Tree) -> Tree:
    """The object without managedFields."""
    meta = tree.get("metadata")
    if not isinstance(meta, dict) or "managedFields" not in meta:
        return tree
    return {**tree, "metadata": {key: value for key, value in meta.items() if key != "managedFields"}}


def _with_managers(tree: Tree, managers: Managers) -> Tree:
    entries = encode(managers)
    if not entries:
        return tree
    meta = tree.get("metadata")
    return {**tree, "metadata": {**(meta if isinstance(meta, dict) else {}), "managedFields": entries}}


def _text(value: Json) -> str:
    """A value that has to be a string; "" for any other."""
    return value if isinstance(value, str) else ""


def group_version_kind(api_version: str, kind: str) -> str:
    """As Go prints it: apps/v1, Kind=Deployment; /v1, Kind=Pod."""
    return f"{api_version if '/' in api_version else '/' + api_version}, Kind={kind}"
