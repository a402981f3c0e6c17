"""What docker does and this API does not, with what to use instead."""

from __future__ import annotations

from aiohttp import web

from pybernetes.docker.errors import DockerError
from pybernetes.docker.handlers.containers import find

_KUBECTL = {
    "logs": "kubectl logs -n {namespace} {pod} -c {container}",
    "attach": "kubectl attach -n {namespace} {pod} -c {container} -it",
    "exec": "kubectl exec -n {namespace} {pod} -c {container} -it -- COMMAND",
    "top": "kubectl exec -n {namespace} {pod} -c {container} -- ps",
    "stats": "kubectl top pod -n {namespace} {pod} --containers",
    "kill": "kubectl delete pod -n {namespace} {pod}",
    "stop": "kubectl delete pod -n {namespace} {pod}",
    "restart": "kubectl delete pod -n {namespace} {pod}",
    "archive": "kubectl cp -n {namespace} -c {container} {pod}:PATH PATH",
}


async def create(request: web.Request) -> web.StreamResponse:
    """`docker run` and `docker create`."""
    raise DockerError(501, "pybernetes runs pods, not docker's containers; try: kubectl run NAME --image=IMAGE")


async def container(request: web.Request) -> web.StreamResponse:
    """What is done with a container: the pod is named, so that the line can be copied."""
    found = await find(request, request.match_info["id"])
    action = request.match_info["action"].partition("/")[0]
    about = {
        "namespace": found.labels.get("io.kubernetes.pod.namespace", ""),
        "pod": found.labels.get("io.kubernetes.pod.name", ""),
        "container": found.labels.get("io.kubernetes.container.name", ""),
    }
    instead = _KUBECTL.get(action, "kubectl describe pod -n {namespace} {pod}").format(**about)
    raise DockerError(501, f"this container belongs to a pod; try: {instead}")


async def remove_container(request: web.Request) -> web.StreamResponse:
    found = await find(request, request.match_info["id"])
    namespace = found.labels.get("io.kubernetes.pod.namespace", "")
    pod = found.labels.get("io.kubernetes.pod.name", "")
    raise DockerError(501, f"this container belongs to a pod; try: kubectl delete pod -n {namespace} {pod}")


async def session(request: web.Request) -> web.StreamResponse:
    """The client's side of a BuildKit build, which nobody will ask anything.

    It is let in because clients show nothing of a refusal here; that of the build itself they show (`buildkit`).
    """
    if request.headers.get("Upgrade", "").lower() != "h2c":
        return await buildkit(request)
    response = web.StreamResponse(status=101, headers={"Connection": "Upgrade", "Upgrade": "h2c"})
    response.force_close()
    await response.prepare(request)
    return response


async def buildkit(request: web.Request) -> web.StreamResponse:
    """Sessions of BuildKit, which `docker buildx` and newer `docker build` open."""
    raise DockerError(
        501,
        "pybernetes builds with docker's classic protocol, not with BuildKit's; try: "
        "DOCKER_BUILDKIT=0 docker build ..., or p8s image build, which has RUN --mount and all else of BuildKit's files",
    )


async def nothing_pruned(request: web.Request) -> web.StreamResponse:
    """What `docker system prune` asks for besides images: containers and networks go with their pods."""
    return web.json_response({"SpaceReclaimed": 0})


async def unknown(request: web.Request) -> web.StreamResponse:
    """A network, volume or plugin by name: `docker inspect NAME` asks for these, too, and goes on where there is none."""
    kind, name = request.match_info["kind"], request.match_info["name"]
    raise DockerError(404, f"no such {kind}: {name}")


async def anything(request: web.Request) -> web.StreamResponse:
    what = request.match_info["path"]
    raise DockerError(
        501, f"pybernetes serves docker's API for images only, not {request.method} /{what}; for all else use kubectl"
    )
