"""An image that is a volume of a container stays as long as the container, and leads nowhere but into itself."""

from pathlib import Path

import pytest
from tests.images import Image, Tree
from tests.runtime.service.conftest import OpenLab

from pybernetes.cri import types as t
from pybernetes.cri.errors import CRIError
from pybernetes.cri.testsuite import Lab
from pybernetes.runtime.images.service import Images

NAME = "files:1"
"""An image of one layer with a file, and links that lead up and out."""


@pytest.fixture
async def files(images: Images, tmp_path: Path) -> t.ImageSpec:
    tree = Tree()
    tree.file("data/here", b"of the image\n")
    tree.symlink("up", "/data")
    tree.symlink("out", "/../../../../../../etc/hostname")
    await images.load(Image([tree.layer()]).write_archive(tmp_path / "files.tar", NAME))
    return t.ImageSpec(image=NAME)


async def test_it_outlives_its_name(lab: Lab, images: Images, files: t.ImageSpec) -> None:
    volume = t.Mount(container_path="/volume", image=t.ImageSpec(image=images.resolve(NAME)))
    pod = await lab.run_pod()
    waiting = lab.container(
        "sh", "-c", "while ! test -e /go; do sleep 0.01; done; cat /volume/data/here", mounts=[volume]
    )
    container = await pod.start(waiting)
    assert [i.pinned for i in await images.list_images() if NAME in "".join(i.repo_tags)] == [True]
    await images.remove_image(files)
    await lab.runtime.exec_sync(container, ["touch", "/go"], 5)
    status = await lab.ended(container)
    assert Path(status.log_path).read_text().endswith(" of the image\n")
    await lab.runtime.remove_container(container)


async def test_links_in_it_stay_in_it(lab: Lab, files: t.ImageSpec) -> None:
    pod = await lab.run_pod()
    up = t.Mount(container_path="/up", image=files, image_sub_path="up")
    assert await pod.output("cat", "/up/here", mounts=[up]) == "of the image"
    out = t.Mount(container_path="/out", image=files, image_sub_path="out")
    with pytest.raises(CRIError, match=r"failed to mount image volume.*No such file"):
        await pod.start(lab.container("true", mounts=[out]))


async def test_after_a_restart_it_is_still_there(open_lab: OpenLab, files: t.ImageSpec) -> None:
    volume = t.Mount(container_path="/volume", image=files)
    async with open_lab() as lab:
        pod = await lab.run_pod()
        command = ["sh", "-c", "while ! test -e /go; do sleep 0.01; done; cat /volume/data/here"]
        container = await pod.start(lab.container(*command, mounts=[volume]))
    async with open_lab() as lab:
        await lab.runtime.exec_sync(container, ["touch", "/go"], 5)
        assert Path((await lab.ended(container)).log_path).read_text().endswith(" of the image\n")
        for sandbox in await lab.runtime.list_pod_sandbox():
            await lab.runtime.remove_pod_sandbox(sandbox.id)
    assert str(lab.logs.parent / "runtime") not in Path("/proc/self/mountinfo").read_text()
