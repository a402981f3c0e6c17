"""The registry's HTTP: paths to handlers, errors to their documents."""

from __future__ import annotations

import errno
import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from pybernetes.aio.idle import Idle
from pybernetes.registry.errors import RegistryError
from pybernetes.registry.handlers import blobs, lists, manifests, uploads
from pybernetes.registry.service import SERVICE, Service

log = logging.getLogger(__name__)

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_VERSION = {"Docker-Distribution-API-Version": "registry/2.0"}


def make_app(service: Service, idle: Idle) -> web.Application:
    """The application; `idle` is told of each request."""

    @web.middleware
    async def shell(request: web.Request, handler: _Handler) -> web.StreamResponse:
        with idle.busy():
            response = await _answer(request, handler)
            response.headers.update(_VERSION)
            # Sent here, so that a long download counts as a request under way.
            await response.prepare(request)
            await response.write_eof()
            return response

    app = web.Application(middlewares=[shell])
    app[SERVICE] = service
    blob, manifest, upload = "/v2/{name:.+}/blobs", "/v2/{name:.+}/manifests", "/v2/{name:.+}/blobs/uploads"
    app.add_routes(
        [
            web.get("/v2", version),
            web.get("/v2/", version),
            web.get("/v2/_catalog", lists.catalog),
            web.get("/v2/{name:.+}/tags/list", lists.tags),
            web.get("/v2/{name:.+}/referrers/{digest}", lists.referrers),
            web.post(upload, uploads.begin),
            web.post(f"{upload}/", uploads.begin),
            web.get(f"{upload}/{{upload}}", uploads.state),
            web.patch(f"{upload}/{{upload}}", uploads.append),
            web.put(f"{upload}/{{upload}}", uploads.finish),
            web.delete(f"{upload}/{{upload}}", uploads.cancel),
            web.get(f"{blob}/{{digest}}", blobs.get),
            web.delete(f"{blob}/{{digest}}", blobs.delete),
            web.get(f"{manifest}/{{reference}}", manifests.get),
            web.put(f"{manifest}/{{reference}}", manifests.put),
            web.delete(f"{manifest}/{{reference}}", manifests.delete),
        ]
    )
    return app


async def version(request: web.Request) -> web.StreamResponse:
    """Whether this is a registry, and who may use it: everybody who reaches it."""
    return web.json_response({})


async def _answer(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except RegistryError as error:
        return _refusal(error)
    except web.HTTPMethodNotAllowed:
        return _refusal(RegistryError("UNSUPPORTED", {"method": request.method}))
    except web.HTTPNotFound:
        return _refusal(RegistryError("NAME_INVALID", {"path": request.path}), status=404)
    except OSError as error:
        log.error("request failed method=%s path=%s error=%s", request.method, request.path, error)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        said = "no space left on device" if full else str(error)
        return _refusal(RegistryError("UNKNOWN", said), status=507 if full else 500)


def _refusal(error: RegistryError, status: int = 0) -> web.Response:
    return web.Response(
        status=status or error.status, body=error.body(), content_type="application/json", headers=error.headers
    )
