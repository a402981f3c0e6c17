"""Docker's HTTP: versions, paths to handlers, errors to their documents."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Awaitable, Callable

from aiohttp import web

from pybernetes import __version__
from pybernetes.aio.idle import Idle
from pybernetes.cri.door import ImageInUseError
from pybernetes.cri.errors import CRIError
from pybernetes.docker.errors import DockerError, from_cri, from_in_use
from pybernetes.docker.handlers import build, containers, images, refused, system, transfer
from pybernetes.docker.service import API_VERSION, OLDEST_API, SERVICE, Service, spoken

log = logging.getLogger(__name__)

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_VERSION = re.compile(r"/v(\d+)\.(\d+)(?:/|$)")
_HEADERS = {
    "Api-Version": spoken(API_VERSION),
    "Ostype": "linux",
    "Server": f"Pybernetes/{__version__} (linux)",
}


def make_app(service: Service, idle: Idle) -> web.Application:
    """The application; `idle` is told of each request."""

    @web.middleware
    async def shell(request: web.Request, handler: _Handler) -> web.StreamResponse:
        with idle.busy():
            return await _answer(request, handler)

    async def describe(request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(_HEADERS)

    app = web.Application(middlewares=[shell], client_max_size=1 << 20)
    app.on_response_prepare.append(describe)
    app[SERVICE] = service
    for prefix in (r"/v{version:\d+\.\d+}", ""):
        app.add_routes(_routes(prefix))
    return app


def _routes(prefix: str) -> list[web.RouteDef]:
    name, container = f"{prefix}/images/{{name:.+}}", f"{prefix}/containers/{{id:[^/]+}}"
    return [
        web.get(f"{prefix}/_ping", system.ping),
        web.get(f"{prefix}/version", system.version),
        web.get(f"{prefix}/info", system.info),
        web.post(f"{prefix}/auth", system.log_in),
        web.get(f"{prefix}/system/df", system.disk_usage),
        web.post(f"{prefix}/build", build.build),
        web.post(f"{prefix}/build/prune", build.prune),
        web.post(f"{prefix}/session", refused.session),
        web.post(f"{prefix}/grpc", refused.buildkit),
        web.get(f"{prefix}/images/json", images.list_images),
        web.post(f"{prefix}/images/create", transfer.pull),
        web.post(f"{prefix}/images/load", transfer.load),
        web.post(f"{prefix}/images/prune", images.prune),
        web.get(f"{prefix}/images/get", transfer.save),
        web.get(f"{name}/json", images.inspect),
        web.get(f"{name}/history", images.history),
        web.get(f"{name}/get", transfer.save),
        web.post(f"{name}/tag", images.tag),
        web.post(f"{name}/push", transfer.push),
        web.delete(name, images.remove),
        web.get(f"{prefix}/containers/json", containers.list_containers),
        web.post(f"{prefix}/containers/create", refused.create),
        web.get(f"{container}/json", containers.inspect),
        web.delete(container, refused.remove_container),
        web.route("*", f"{container}/{{action:.+}}", refused.container),
        web.post(f"{prefix}/{{kind:containers|networks}}/prune", refused.nothing_pruned),
        web.get(f"{prefix}/{{kind:network|volume|plugin}}s/{{name:[^/]+}}", refused.unknown),
        web.get(f"{prefix}/{{kind:plugin}}s/{{name:.+}}/json", refused.unknown),
        web.route("*", f"{prefix}/{{path:.+}}", refused.anything),
    ]


async def _answer(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        _check_version(request.path)
        return await handler(request)
    except DockerError as error:
        return _refusal(error)
    except ImageInUseError as error:
        return _refusal(from_in_use(error))
    except CRIError as error:
        return _refusal(from_cri(error))
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
        return _refusal(DockerError(404, "page not found"))


def _check_version(path: str) -> None:
    """Raises DockerError in the words by which clients are told."""
    if not (found := _VERSION.match(path)):
        return
    asked = (int(found[1]), int(found[2]))
    if asked > API_VERSION:
        newest = spoken(API_VERSION)
        said = f"client version {spoken(asked)} is too new. Maximum supported API version is {newest}"
        raise DockerError(400, said)
    if asked < OLDEST_API:
        said = f"client version {spoken(asked)} is too old. Minimum supported API version is {spoken(OLDEST_API)}"
        raise DockerError(400, f"{said}, please upgrade your client to a newer version")


def _refusal(error: DockerError) -> web.Response:
    # Clients look for exactly this content type before they read the message.
    body = json.dumps({"message": error.message}).encode()
    return web.Response(status=error.status, body=body, headers={"Content-Type": "application/json"})
