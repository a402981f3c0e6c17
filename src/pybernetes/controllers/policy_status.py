"""The ValidatingAdmissionPolicy status controller: tells on each policy what its expressions cannot find in the kinds
that it is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from pybernetes.api import scheme
from pybernetes.api.errors import StatusError, is_not_found
from pybernetes.api.schema import schema_for, schema_of
from pybernetes.api.scheme import join_api_version, split_api_version
from pybernetes.api.types import admissionregistration_v1
from pybernetes.client.cache import Key
from pybernetes.client.patch import PatchType
from pybernetes.controllers.context import Context, KeyedController

MANAGER: Final = "validatingadmissionpolicy-status"
_COMPONENTS: Final = "components"


class ValidatingAdmissionPolicyStatusController(KeyedController):
    """A generation of a policy is looked at once."""

    name = "validatingadmissionpolicy-status-controller"
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.policies = context.informers.of(admissionregistration_v1.ValidatingAdmissionPolicy)
        self.policies.subscribe(self.enqueue_change)

    async def reconcile(self, key: Key) -> None:
        policy = self.policies.get(key[1])
        if policy is None or (policy.metadata.generation or 0) <= (policy.status.observed_generation or 0):
            return
        from pybernetes.api.cel.type_check import warnings

        spec: dict[str, Any] = msgspec.to_builtins(policy.spec)
        schemas = _Schemas(self.context)
        kinds = [await schemas.checked(*kind) for kind in await schemas.kinds(spec)]
        wanted = spec.get("paramKind")
        params = await schemas.checked(wanted["apiVersion"], wanted["kind"]) if wanted else None
        found = list(warnings(spec, kinds, params))
        status = {
            "observedGeneration": policy.metadata.generation,
            "typeChecking": {"expressionWarnings": found} if found else {},
        }
        resource = scheme.resource_for(admissionregistration_v1.ValidatingAdmissionPolicy)
        config = {
            "apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": key[1]}, "status": status,
        }  # fmt: skip
        await self.client.patch(
            resource, key[1], "", config, PatchType.APPLY, subresource="status", field_manager=MANAGER, force=True
        )


class _Schemas:
    """Kinds and their schemas: built-in ones are known, others are asked for, once for each policy."""

    def __init__(self, context: Context) -> None:
        self._client = context.client
        self._asked: dict[str, Mapping[str, Any]] = {}

    async def kinds(self, spec: Mapping[str, Any]) -> list[tuple[str, str]]:
        """apiVersion and kind of what the rules name without wildcards, sorted by group, version and kind."""
        from pybernetes.api.cel.type_check import MAX_KINDS

        found: set[tuple[str, str, str]] = set()
        for rule in (spec.get("matchConstraints") or {}).get("resourceRules") or ():
            groups, versions = rule.get("apiGroups") or (), rule.get("apiVersions") or ()
            if any("*" in one for one in (*groups, *versions)):
                continue
            plurals = [one for one in rule.get("resources") or () if "*" not in one and "/" not in one]
            places = [(g, v, p) for g in sorted(groups) for v in sorted(versions) for p in sorted(plurals)]
            kinds = [kind for place in places for kind in await self._kinds_at(*place)]
            found |= set(kinds[:MAX_KINDS])
        return [(join_api_version(group, version), kind) for group, version, kind in sorted(found)]

    async def _kinds_at(self, group: str, version: str, plural: str) -> list[tuple[str, str, str]]:
        """The core group has no name, which upstream takes for one that may be any."""
        known = [one for one in scheme.resources() if (one.version, one.plural) == (version, plural)]
        if not group or group in scheme.groups():
            return [(one.group, version, one.kind) for one in known if group in ("", one.group)]
        listed = await self._ask(f"/apis/{group}/{version}")
        entries: list[dict[str, Any]] = listed.get("resources") or []
        return [(group, version, one["kind"]) for one in entries if one.get("name") == plural]

    async def checked(self, api_version: str, kind: str) -> Any:
        """A `CheckedKind`."""
        from pybernetes.api.cel.type_check import CheckedKind, resolved

        try:
            definition = schema_of(api_version, kind).definition
            return CheckedKind(api_version, kind, resolved({"$ref": definition}, _builtin))
        except KeyError:
            pass
        document = await self._ask(f"/openapi/v3/apis/{api_version}")
        components: dict[str, dict[str, Any]] = (document.get(_COMPONENTS) or {}).get("schemas") or {}
        group, version = split_api_version(api_version)
        wanted = {"group": group, "version": version, "kind": kind}
        for schema in components.values():
            if wanted in (schema.get("x-kubernetes-group-version-kind") or ()):
                return CheckedKind(api_version, kind, resolved(schema, components.get))
        return CheckedKind(api_version, kind, None)

    async def _ask(self, path: str) -> Mapping[str, Any]:
        """A document; an empty one where nobody has it."""
        if path not in self._asked:
            try:
                answer = await self._client.request("GET", path)
                self._asked[path] = msgspec.json.decode(answer.body)
            except StatusError as error:
                if not is_not_found(error):
                    raise
                self._asked[path] = {}
        return self._asked[path]


def _builtin(name: str) -> Mapping[str, Any] | None:
    try:
        return schema_for(name).source
    except KeyError:
        return None
