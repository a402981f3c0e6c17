"""The images that all labs use are what they claim to be: each runs, from its unpacked root."""

import subprocess
from pathlib import Path

import pytest
from tests.images import NGINX_VERSIONS, own_version

from pybernetes.runtime.images.service import Images

RUN_NGINX = """
set -e
root=$1; shift
busybox ip link set lo up
mount -t proc proc $root/proc
mount --rbind /dev $root/dev
chroot $root /docker-entrypoint.sh nginx -g 'daemon off;' & server=$!
for try in 1 2 3 4 5 6 7 8 9 10; do
    chroot $root busybox wget -q -S -O- http://127.0.0.1/ 2>&1 && break || busybox sleep 0.05
done
kill -QUIT $server
wait $server
"""


@pytest.mark.parametrize("version", ["", *NGINX_VERSIONS])
async def test_nginx_serves_and_says_its_version(images: Images, version: str) -> None:
    image_id = await images.pull(f"nginx:{version or 'latest'}")
    config = images.config(image_id)
    assert (config.entrypoint, config.cmd) == (("/docker-entrypoint.sh",), ("nginx", "-g", "daemon off;"))
    assert config.stop_signal == "SIGQUIT"

    root = await images.snapshots.mount(image_id, "nginx")
    output = run_alone(RUN_NGINX, root)
    await images.snapshots.remove("nginx")
    assert f"Server: nginx/{version or own_version()}" in output
    assert "<h1>Welcome to nginx!</h1>" in output
    assert '"GET / HTTP/1.1" 200' in output
    assert "Configuration complete; ready for start up" in output


async def test_nginx_has_shells_and_tools(images: Images) -> None:
    root = await images.snapshots.mount(await images.pull("nginx"), "nginx")
    output = run_alone(
        'chroot $1 /bin/bash -c "echo bash $BASH_VERSION; ls /etc/nginx; id -u nginx"; chroot $1 /bin/sh -c "echo sh"',
        root,
    )
    await images.snapshots.remove("nginx")
    assert "bash" in output
    assert "nginx.conf" in output
    assert "101" in output
    assert output.endswith("sh\n")


async def test_busybox_has_its_applets(images: Images) -> None:
    root = await images.snapshots.mount(await images.pull("busybox:1"), "busybox")
    output = run_alone(
        "chroot $1 /bin/sh -c 'echo hello | sed s/hello/world/; id -un >/dev/null; echo uid=$(id -u) gid=$(id -g); which wget nslookup'",
        root,
    )
    await images.snapshots.remove("busybox")
    assert output.splitlines() == ["world", "uid=0 gid=0", "/bin/wget", "/bin/nslookup"]


def run_alone(script: str, root: Path) -> str:
    """Run a shell script with network and mounts of its own."""
    command = ["unshare", "--net", "--mount", "sh", "-c", script, "sh", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
