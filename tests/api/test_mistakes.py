"""Likely mistakes in manifests, told as warnings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pybernetes.api.mistakes import meant, meant_image, mistakes_in, new_mistakes

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("key", "better"),
    [
        ("kubenetes.io/change-cause", "kubernetes.io/change-cause"),
        ("kubernetes.io/change-cuase", "kubernetes.io/change-cause"),
        ("app.kubernets.io/name", "app.kubernetes.io/name"),
        ("kubernetes.io/change-cause", ""),
        ("kubernetes.io/description", ""),
        ("deployment.kubernetes.io/revision", ""),
        ("kubevirt.io/vm", ""),
        ("kubesphere.io/creator", ""),
        ("example.com/change-cause", ""),
    ],
)
def test_keys_a_letter_off_kubernetes_own(key: str, better: str) -> None:
    assert meant(key) == better


@pytest.mark.parametrize(
    ("image", "better"),
    [("nginx@latest", "nginx:latest"), ("NGINX", "nginx"), ("nginx: 1.17", "nginx:1.17"), ("a b", "")],
)
def test_images_that_were_meant(image: str, better: str) -> None:
    assert meant_image(image) == better


def pod(**fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": "web"}, "spec": {"containers": [{"name": "app", "image": "nginx"} | fields]}}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"image": "nginx@latest"},
            'spec.containers[0].image: "nginx@latest": invalid reference format, did you mean "nginx:latest"?',
        ),
        (
            {"command": ["sleep 3600"]},
            'spec.containers[0].command: "sleep 3600" is looked for as one program, did you mean ["sleep", "3600"]?',
        ),
        (
            {"ports": [{"name": "http", "containerPort": 80}], "livenessProbe": {"httpGet": {"port": "htp"}}},
            'spec.containers[0].livenessProbe.httpGet.port: the container has no port named "htp", did you mean "http"?',
        ),
        (
            {"resources": {"requests": {"cpu": "512Mi"}}},
            'spec.containers[0].resources.requests[cpu]: "512Mi" is a number of bytes, cpu is in cores ("500m", "2")',
        ),
    ],
)
def test_mistakes_of_containers(fields: dict[str, Any], text: str) -> None:
    assert mistakes_in("Pod", pod(**fields)) == [text]
    template = {"spec": {"jobTemplate": {"spec": {"template": pod(**fields)}}}}
    assert mistakes_in("CronJob", template) == [text.replace("spec.", "spec.jobTemplate.spec.template.spec.", 1)]


def test_what_was_told_before_is_not_told_again() -> None:
    old = pod(image="nginx@latest")
    assert new_mistakes("Pod", old | {"metadata": {"labels": {"a": "b"}}}, old) == []


def test_healthy_manifests_have_none() -> None:
    """Every manifest of the tests, but for the mistakes that the labs make on purpose; a chart's templates are none."""
    manifests = [
        document
        for path in TESTS.rglob("*.yaml")
        if "templates" not in path.parts
        for document in yaml.safe_load_all(path.read_text())
        if isinstance(document, dict) and "kind" in document
    ]
    assert manifests
    for manifest in manifests:
        assert mistakes_in(manifest["kind"], manifest) == []
