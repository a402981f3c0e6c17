"""A generic server of a few lines over a dict, with which recorded requests are replayed against the patch functions.

It decodes, defaults and tracks ownership as the API server does, and nothing else: no validation, admission or
addresses. What these would have added to a recorded answer is taken over from that answer on a create.
"""

import copy
import json
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from pybernetes.api.decode import decode
from pybernetes.api.defaults import apply_defaults
from pybernetes.api.errors import StatusError
from pybernetes.api.patch.apply import FieldManager
from pybernetes.api.patch.json_patch import json_patch
from pybernetes.api.patch.managed_fields import is_reset, keep_times
from pybernetes.api.patch.merge import merge_patch
from pybernetes.api.patch.reset_fields import reset_fields
from pybernetes.api.patch.scale import ScaleFields
from pybernetes.api.patch.strategic import strategic_patch
from pybernetes.api.schema import schema_of
from pybernetes.api.scheme import by_plural

PATH = re.compile(r"/apis?/(?:([\w.]+\.k8s\.io|apps)/)?(v\w+)/namespaces/[^/]+/(\w+)(?:/(\w+))?(?:/(\w+))?$")
NOW = "2026-01-01T00:00:00Z"
SERVER_FIELDS = ("namespace", "uid", "resourceVersion", "creationTimestamp", "generation")


def essence(body):
    """The body without what a store fills in and with times masked."""
    body = copy.deepcopy(body)
    if isinstance(meta := body.get("metadata"), dict):
        for name in SERVER_FIELDS:
            meta.pop(name, None)
        for entry in meta.get("managedFields", []):
            if "time" in entry:
                entry["time"] = "<time>"
        if "managedFields" in meta:
            meta["managedFields"].sort(key=lambda e: json.dumps(e, sort_keys=True))
    if "details" in body:
        body["details"].get("causes", []).sort(key=lambda cause: json.dumps(cause, sort_keys=True))
    return body


@dataclass
class Server:
    objects: dict[str, dict] = field(default_factory=dict)

    def handle(self, method, url, content_type, body, expected):
        """The answer as (status, body). `expected` is the recorded answer."""
        split = urlsplit(url)
        group, version, plural, name, subresource = PATH.match(split.path).groups(default="")
        resource = by_plural(group, version, plural)
        query = {key: values[0] for key, values in parse_qs(split.query).items()}
        if method == "GET":
            return 200, self.objects[f"{plural}/{name}"]
        if method == "POST":
            name = body["metadata"]["name"]
        key = f"{plural}/{name}"
        call = Call(resource, subresource, self.objects.get(key), query)
        try:
            new = call.scale(content_type, body) if subresource == "scale" else call.run(method, content_type, body)
        except StatusError as error:
            return error.code, error.status
        if subresource == "scale":
            new, answer = new
        status = 200 if key in self.objects else 201
        self.objects[key] = new if key in self.objects else as_recorded(new, expected)
        return status, answer if subresource == "scale" else self.objects[key]


def as_recorded(new, expected):
    """The recorded object with our ownership: admission and a kind's own rules are not under test."""
    meta = {key: value for key, value in expected["metadata"].items() if key not in ("managedFields", *SERVER_FIELDS)}
    if "managedFields" in new["metadata"]:
        meta["managedFields"] = new["metadata"]["managedFields"]
    return {**expected, "metadata": meta}


@dataclass
class Call:
    resource: object
    subresource: str
    live: dict | None
    query: dict

    @property
    def manager(self):
        return self.query.get("fieldManager", "golden")

    def fields(self):
        resource = self.resource
        schema = schema_of(resource.api_version, resource.kind)
        reset = reset_fields(
            resource.group, resource.plural, self.subresource, has_status="status" in resource.subresources
        )
        return FieldManager(schema, resource.api_version, resource.kind, self.subresource, reset)

    def run(self, method, content_type, body):
        manager, schema = self.fields(), schema_of(self.resource.api_version, self.resource.kind)
        if content_type == "ap":
            config = json.loads(body) if isinstance(body, str) else body
            force = self.query.get("force", "false") != "false"
            new = self.normal(manager.apply(self.live, config, self.manager, force, NOW))
        else:
            if method == "PATCH":
                body = patched(schema, content_type, self.live, body)
            reset = is_reset(body["metadata"].get("managedFields"))
            new = manager.update(self.live, self.normal(body), self.manager, NOW, reset=reset)
        if self.live is not None:
            new = keep_times(self.live, new)
            other = "spec" if self.subresource == "status" else "status"
            new = {**new, other: self.live[other]} if other in self.live else new
        return new

    def normal(self, tree):
        tree = decode(schema_of(self.resource.api_version, self.resource.kind), tree).tree
        apply_defaults(self.resource, tree)
        return tree

    def scale(self, content_type, body):
        version = self.resource.api_version
        carried = ScaleFields(version, {version: "spec.replicas"})
        meta = self.live["metadata"]
        entries = carried.to_scale(meta.get("managedFields"))
        live = {
            "apiVersion": "autoscaling/v1",
            "kind": "Scale",
            "metadata": {"name": meta["name"], "managedFields": entries},
            "spec": {"replicas": self.live["spec"]["replicas"]},
            "status": {"replicas": 0, "selector": "app=a"},
        }
        manager = FieldManager(
            schema_of("autoscaling/v1", "Scale"), "autoscaling/v1", "Scale", "scale", reset_fields("", "", "")
        )
        if content_type == "ap":
            new = manager.apply(live, body, self.manager, self.query.get("force") == "true", NOW)
        else:
            new = manager.update(live, merge_patch(live, body), self.manager, NOW)
        owned = carried.to_object(meta.get("managedFields"), new["metadata"].get("managedFields"))
        answer = {**new, "metadata": {"name": meta["name"]}}
        spec = {**self.live["spec"], "replicas": new["spec"]["replicas"]}
        return {**self.live, "metadata": {**meta, "managedFields": owned}, "spec": spec}, answer


def patched(schema, content_type, live, body):
    if content_type == "jp":
        return json_patch(live, body)
    return merge_patch(live, body) if content_type == "mp" else strategic_patch(schema, live, body)
