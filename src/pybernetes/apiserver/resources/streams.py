"""`pods/<name>/log`, `exec`, `attach` and `portforward`: what the pod's kubelet does for the client."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar
from urllib.parse import urlencode

from pybernetes.api import errors, field
from pybernetes.api.field import FieldError, Path
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.builtin import builtin
from pybernetes.apiserver.context import RequestContext, Tree
from pybernetes.apiserver.http.message import Answer, Request, Response
from pybernetes.apiserver.kubelets.forward import Subject, fetch
from pybernetes.apiserver.kubelets.headers import is_upgrade
from pybernetes.apiserver.kubelets.kubelets import Endpoint
from pybernetes.apiserver.kubelets.upgrade import upgrade
from pybernetes.apiserver.resources.strategy import Target

LOG_FLAGS = ("follow", "previous", "timestamps", "insecureSkipTLSVerifyBackend")
STREAMS = {"stdin": "input", "stdout": "output", "stderr": "error", "tty": "tty"}
"""What clients call a stream, and what kubelets do."""


class LogAction:
    """GET of a container's log."""

    async def __call__(self, ctx: RequestContext, target: Target) -> Answer:
        pod = find_pod(ctx, target)
        request = ctx.request
        if wrong := _log_errors(request):
            raise errors.invalid("", "PodLogOptions", "", wrong)
        container = choose_container(pod, request.parameter("container"))
        endpoint = kubelet_of(ctx, pod)
        if endpoint is None:
            return Response(204)
        query = [(name, "true") for name in LOG_FLAGS[:3] if _is_true(request.parameter(name))]
        names = ("sinceSeconds", "sinceTime", "tailLines", "limitBytes", "stream")
        query += [(name, request.parameter(name)) for name in names if request.parameter(name)]
        path = f"/containerLogs/{target.namespace}/{target.name}/{container}"
        return await fetch(endpoint, _with_query(path, query), Subject("pods/log", target.name))


class _UpgradedAction:
    """An operation that goes on over an upgraded connection."""

    verb: ClassVar[str]

    async def __call__(self, ctx: RequestContext, target: Target) -> Answer:
        pod = find_pod(ctx, target)
        await admit_connect(ctx, target)
        path = self.location(ctx.request, pod, target)
        endpoint = kubelet_of(ctx, pod)
        if endpoint is None:
            raise errors.bad_request(f"pod {target.name} does not have a host assigned")
        if not is_upgrade(ctx.request.header_list):
            raise errors.bad_request("Upgrade request required")
        return await upgrade(ctx.request, endpoint, path)

    def location(self, request: Request, pod: Tree, target: Target) -> str:
        """Path and query at the kubelet. Raises StatusError for options that do not fit the pod."""
        raise NotImplementedError


class ExecAction(_UpgradedAction):
    verb = "exec"

    def location(self, request: Request, pod: Tree, target: Target) -> str:
        commands = request.query.get("command", [])
        container = choose_container(pod, request.parameter("container"))
        if wrong := [*_stream_errors(request), *([] if commands else [field.required(Path("command"))])]:
            raise errors.invalid("", "PodExecOptions", "", wrong)
        query = [*_streams(request), *(("command", command) for command in commands)]
        return _with_query(f"/exec/{target.namespace}/{target.name}/{container}", query)


class AttachAction(_UpgradedAction):
    verb = "attach"

    def location(self, request: Request, pod: Tree, target: Target) -> str:
        container = choose_container(pod, request.parameter("container"))
        if wrong := _stream_errors(request):
            raise errors.invalid("", "PodAttachOptions", "", wrong)
        return _with_query(f"/attach/{target.namespace}/{target.name}/{container}", _streams(request))


class PortForwardAction(_UpgradedAction):
    verb = "portforward"

    def location(self, request: Request, pod: Tree, target: Target) -> str:
        ports = [("port", port) for port in request.query.get("ports", request.query.get("port", []))]
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
        if len(regular) == 1 and not initial and not ephemeral:
            return str(regular[0])
        if len(regular) == 1 and not initial:
            return str(regular[0])
        words = f"a container name must be specified for pod {name}, choose one of: {_listed(regular)}"
        words += f" or one of the init containers: {_listed(initial)}" if initial else ""
        words += f" or one of the ephemeral containers: {_listed(ephemeral)}" if ephemeral else ""
        raise errors.bad_request(words)
    if wanted not in (*regular, *initial, *ephemeral):
        raise errors.bad_request(f"container {wanted} is not valid for pod {name}")
    return wanted


def _listed(names: Sequence[str]) -> str:
    return "[" + " ".join(names) + "]"


async def admit_connect(ctx: RequestContext, target: Target) -> None:
    """Let admission see that somebody connects to the object."""
    admission = ctx.services.admission
    if admission.handles("CONNECT", target.resource, target.subresource):
        attributes = Attributes(ctx, "CONNECT", target.resource, target.namespace, target.name, target.subresource)
        await admission.mutate(attributes)
        await admission.validate(attributes)


def _is_true(text: str) -> bool:
    return text.lower() not in ("", "false", "0", "f")


def _streams(request: Request) -> list[tuple[str, str]]:
    # Without a word on them, output and errors are wanted: the defaults of PodExecOptions and PodAttachOptions.
    defaults = {"stdout": "true", "stderr": "true"}
    wanted = {name: request.parameter(name, defaults.get(name, "")) for name in STREAMS}
    if _is_true(wanted["tty"]):
        wanted["stderr"] = ""
    return [(STREAMS[name], "1") for name, value in wanted.items() if _is_true(value)]


def _stream_errors(request: Request) -> list[FieldError]:
    if _is_true(request.parameter("tty")) and "stderr" in request.query and _is_true(request.parameter("stderr")):
        return [field.invalid(Path("stderr"), True, "stderr must be false when tty is true")]
    if not _streams(request):
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
