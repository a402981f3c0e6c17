"""Images that cannot be had."""

from __future__ import annotations

from tests.badcases.cases.case import Case
from tests.badcases.manifests import deployment, pod

IMAGES = (
    Case(
        "image-missing",
        (deployment(name="web", image="nginx:1.18.30"),),
        "deployment/web",
        r"image nginx:1\.18\.30 is not in the registry; tags close to it: 1\.18\.0",
        r"nginx:1\.18\.30: not found",
        r"kubectl set image deployment/web -n image-missing app=nginx:1\.18\.0",
    ),
    Case(
        "image-name",
        (deployment(image="ngnix"),),
        "deployment/web",
        r"names close to it: nginx",
        r"not found",
        r"app=nginx",
    ),
    Case(
        "image-malformed",
        (pod(image="nginx@latest"),),
        "pod/web",
        r'image name "nginx@latest" is malformed: "@" stands before a digest',
        r'Failed to apply default image tag "nginx@latest": .*invalid reference format',
        r"app=nginx:latest",
    ),
    Case(
        "registry-down",
        (pod(image="127.0.0.1:1/web:1"),),
        "pod/web",
        r"the registry of image 127\.0\.0\.1:1/web:1 cannot be reached: http://127\.0\.0\.1:1: .*connection refused",
        r"failed to pull and unpack image",
        r"curl -sS http://127\.0\.0\.1:1/v2/",
    ),
    Case(
        "image-never",
        (pod(image="absent:1", imagePullPolicy="Never"),),
        "pod/web",
        r"image absent:1 is not on the node, and imagePullPolicy is Never",
        r'Container image "absent:1" is not present with pull policy of Never',
        r"docker save absent:1 \| p8s image load",
    ),
)
