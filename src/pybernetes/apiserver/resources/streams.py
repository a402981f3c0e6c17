"""`pods/<name>/log`, `exec`, `attach` and `portforward`: what the pod's kubelet does for the client."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar
from urllib.parse import urlencode

import msgspec

from pybernetes.api import errors, field
from pybernetes.api.field import FieldError, Path
from pybernetes.api.tree import Tree
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.builtin import builtin
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.message import Answer, Request, Response
from pybernetes.apiserver.kubelets.forward import Subject, fetch
from pybernetes.apiserver.kubelets.headers import is_upgrade
from pybernetes.apiserver.kubelets.kubelets import Endpoint
from pybernetes.apiserver.kubelets.reader import handshake, over_websocket
from pybernetes.apiserver.kubelets.upgrade import upgrade
from pybernetes.apiserver.negotiate import negotiate_text
from pybernetes.apiserver.resources.strategy import Target
from pybernetes.wire.numbers import parse_number

LOG_FLAGS = ("follow", "previous", "timestamps", "insecureSkipTLSVerifyBackend")
STREAMS = {"stdin": "input", "stdout": "output", "stderr": "error", "tty": "tty"}
"""What clients call a stream, and what kubelets do."""


class LogAction:
    """GET of a container's log."""

    async def __call__(self, ctx: RequestContext, target: Target) -> Answer:
        request = ctx.request
        negotiate_text(request.headers.get("accept", ""))
        if wrong := _log_errors(request):
            raise errors.invalid("", "PodLogOptions", target.name, wrong)
        pod = find_pod(ctx, target)
        container = choose_container(pod, request.parameter("container"))
        endpoint = kubelet_of(ctx, pod)
        if endpoint is None:
            return Response(204)
        messages = handshake(request)
        query = [(name, "true") for name in LOG_FLAGS[:3] if _is_true(request.parameter(name))]
        names = ("sinceSeconds", "sinceTime", "tailLines", "limitBytes", "stream")
        query += [(name, request.parameter(name)) for name in names if request.parameter(name)]
        path = f"/containerLogs/{target.namespace}/{target.name}/{container}"
        answer = await fetch(endpoint, _with_query(path, query), Subject("pods/log", target.name))
        return over_websocket(answer, messages) if messages else answer


class _UpgradedAction:
    """An operation that goes on over an upgraded connection."""

    verb: ClassVar[str]
    kind: ClassVar[str]
    """Of the options that clients send as a query."""

    async def __call__(self, ctx: RequestContext, target: Target) -> Answer:
        pod = find_pod(ctx, target)
        options = await admit_connect(ctx, target, self.kind, self.options(ctx.request))
        path = self.location(ctx.request, options, pod, target)
        endpoint = kubelet_of(ctx, pod)
        if endpoint is None:
            raise errors.bad_request(f"pod {target.name} does not have a host assigned")
        if not is_upgrade(ctx.request.header_list):
            raise errors.bad_request("Upgrade request required")
        return await upgrade(ctx.request, endpoint, path)

    def options(self, request: Request) -> Tree:
        """The options as fields of their kind."""
        raise NotImplementedError

    def location(self, request: Request, options: ConnectOptions, pod: Tree, target: Target) -> str:
        """Path and query at the kubelet. Raises StatusError for options that do not fit the pod."""
        raise NotImplementedError


class ExecAction(_UpgradedAction):
    verb = "exec"
    kind = "PodExecOptions"

    def options(self, request: Request) -> Tree:
        return {**_stream_options(request), "command": request.query.get("command")}

    def location(self, request: Request, options: ConnectOptions, pod: Tree, target: Target) -> str:
        container = choose_container(pod, options.container)
        if wrong := [
            *_stream_errors(request, options), *([] if options.command else [field.required(Path("command"))])
        ]:  # fmt: skip
            raise errors.invalid("", self.kind, "", wrong)
        query = [*_streams(options), *(("command", command) for command in options.command or ())]
        return _with_query(f"/exec/{target.namespace}/{target.name}/{container}", query)


class AttachAction(_UpgradedAction):
    verb = "attach"
    kind = "PodAttachOptions"

    def options(self, request: Request) -> Tree:
        return _stream_options(request)

    def location(self, request: Request, options: ConnectOptions, pod: Tree, target: Target) -> str:
        container = choose_container(pod, options.container)
        if wrong := _stream_errors(request, options):
            raise errors.invalid("", self.kind, "", wrong)
        return _with_query(f"/attach/{target.namespace}/{target.name}/{container}", _streams(options))


class PortForwardAction(_UpgradedAction):
    verb = "portforward"
    kind = "PodPortForwardOptions"

    def options(self, request: Request) -> Tree:
        asked = request.query.get("ports", request.query.get("port", []))
        ports = [number for text in asked if (number := parse_number(text, 65535)) is not None]
        return {"ports": ports} if ports else {}

    def location(self, request: Request, options: ConnectOptions, pod: Tree, target: Target) -> str:
        ports = [("port", str(port)) for port in options.ports or ()]
        return _with_query(f"/portForward/{target.namespace}/{target.name}", ports)


def find_pod(ctx: RequestContext, target: Target) -> Tree:
    """The pod. Raises StatusError 404."""
    item = ctx.services.registry.get(target.resource, target.name, target.namespace)
    if item is None:
        raise errors.not_found("", "pods", target.name)
    return item.tree


def kubelet_of(ctx: RequestContext, pod: Tree) -> Endpoint | None:
    """Where the pod's kubelet listens; None while the pod has no node. Raises StatusError if the node is not known."""
    name = pod["spec"].get("nodeName", "")
    if not name:
        return None
    resource = builtin("", "v1", "nodes")
    node = ctx.services.registry.get(resource, name)
    if node is None:
        raise errors.not_found("", "nodes", name)
    return ctx.services.kubelets.endpoint(node.tree)


def choose_container(pod: Tree, wanted: str) -> str:
    """The container that is meant: the only one, or the one that is named. Raises StatusError 400."""
    spec, name = pod["spec"], pod["metadata"]["name"]
    regular = [container["name"] for container in spec.get("containers") or ()]
    initial = [container["name"] for container in spec.get("initContainers") or ()]
    ephemeral = [container["name"] for container in spec.get("ephemeralContainers") or ()]
    if not wanted:
        if len(regular) == 1:
            return str(regular[0])
        words = f"a container name must be specified for pod {name}"
        listed = _listed([*initial, *regular, *ephemeral])
        raise errors.bad_request(f"{words}, choose one of: {listed}" if regular else words)
    if wanted not in (*regular, *initial, *ephemeral):
        raise errors.bad_request(f"container {wanted} is not valid for pod {name}")
    return wanted


def _listed(names: Sequence[str]) -> str:
    return "[" + " ".join(names) + "]"


class ConnectOptions(msgspec.Struct):
    """The fields of all kinds of options with which clients connect to something."""

    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False
    container: str = ""
    command: list[str] | None = None
    ports: list[int] | None = None
    path: str = ""


async def admit_connect(ctx: RequestContext, target: Target, kind: str, options: Tree) -> ConnectOptions:
    """Let admission see how somebody connects to the object; the options as it leaves them. Raises StatusError."""
    admission = ctx.services.admission
    tree = {"kind": kind, "apiVersion": "v1", **options}
    if admission.handles("CONNECT", target.resource, target.subresource):
        attributes = Attributes(
            ctx, "CONNECT", target.resource, target.namespace, target.name, target.subresource, object=tree
        )
        await admission.mutate(attributes)
        await admission.validate(attributes)
    try:
        return msgspec.convert(tree, ConnectOptions)
    except msgspec.ValidationError as error:
        raise errors.internal(f"{kind} that admission made: {error}") from error


def _is_true(text: str) -> bool:
    return text.lower() not in ("", "false", "0", "f")


def _stream_options(request: Request) -> Tree:
    wanted = {name: True for name in STREAMS if _is_true(request.parameter(name))}
    container = request.parameter("container")
    return {**wanted, "container": container} if container else dict(wanted)


def _streams(options: ConnectOptions) -> list[tuple[str, str]]:
    wanted = [name for name in STREAMS if getattr(options, name) and not (name == "stderr" and options.tty)]
    return [(STREAMS[name], "1") for name in wanted]


def _stream_errors(request: Request, options: ConnectOptions) -> list[FieldError]:
    if options.tty and "stderr" in request.query and _is_true(request.parameter("stderr")):
        return [field.invalid(Path("stderr"), True, "stderr must be false when tty is true")]
    if not _streams(options):
        return [field.invalid(Path("stdin"), False, "at least one of stdin, stdout, stderr must be true")]
    return []


def _log_errors(request: Request) -> list[FieldError]:
    found: list[FieldError] = []
    for name, least in (("tailLines", 0), ("limitBytes", 1), ("sinceSeconds", 1)):
        text = request.parameter(name)
        if not text:
            continue
        try:
            value = int(text)
        except ValueError as error:
            raise errors.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from error
        if value < least:
            words = "must be greater than 0" if least else "must be greater than or equal to 0"
            found.append(field.invalid(Path(name), value, words))
    if request.parameter("sinceSeconds") and request.parameter("sinceTime"):
        found.append(field.forbidden(Path(""), "at most one of `sinceTime` or `sinceSeconds` may be specified"))
    return found


def _with_query(path: str, query: list[tuple[str, str]]) -> str:
    return f"{path}?{urlencode(query)}" if query else path
