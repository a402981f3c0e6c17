"""GET /version: what clients compare their own version with."""

from __future__ import annotations

import platform

import msgspec

from pybernetes import __version__
from pybernetes.api.scheme import API_LEVEL
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.http.message import Answer, Response

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def version_page(ctx: RequestContext) -> Answer:
    major, minor = API_LEVEL.split(".")
    info = {
        "major": major,
        "minor": minor,
        "emulationMajor": major,
        "emulationMinor": minor,
        "minCompatibilityMajor": major,
        "minCompatibilityMinor": str(int(minor) - 1),
        "gitVersion": f"v{API_LEVEL}.0+pybernetes-{__version__}",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": f"python{platform.python_version()}",
        "compiler": platform.python_implementation().lower(),
        "platform": f"linux/{_ARCHITECTURES.get(platform.machine(), platform.machine())}",
    }
    return Response(200, msgspec.json.format(msgspec.json.encode(info), indent=2))
