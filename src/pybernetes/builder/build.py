"""The one entry: a request in, an image out."""

from pybernetes.builder.errors import BuildError
from pybernetes.builder.progress import Report
from pybernetes.builder.request import BuildRequest, BuiltImage
from pybernetes.cri.building import BuildService


async def build(request: BuildRequest, door: BuildService, report: Report) -> BuiltImage:
    """Build the image and give it its names. `door` is the runtime's, or a client of it.

    Raises BuildError, after which nothing has a name that it did not have before; CRIError if the runtime went away.
    Cancelling ends the running steps; what was built up to there stays in the cache. Builds may run side by side.
    """
    raise BuildError("failed to solve: this version builds no images yet")
