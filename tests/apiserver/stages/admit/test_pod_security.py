"""PodSecurity of namespaces: labels, and the pods that are there when a level becomes stricter."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.apiserver.inprocess import Server, server

from pybernetes.apiserver.http.message import Response
from pybernetes.apiserver.stages.admit.pod_security import versions
from pybernetes.apiserver.stages.admit.pod_security.levels import policy

NAMESPACE = "/api/v1/namespaces/default"
ENFORCE = "pod-security.kubernetes.io/enforce"
WARN = "pod-security.kubernetes.io/warn"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Server]:
    async with server(tmp_path) as made:
        yield made


async def warnings(api: Server, **labels: str) -> list[str]:
    headers = {"content-type": "application/merge-patch+json"}
    body = {"metadata": {"labels": {f"pod-security.kubernetes.io/{key}": value for key, value in labels.items()}}}
    answer = await api.raw("PATCH", f"{NAMESPACE}?dryRun=All", body, headers=headers)
    assert isinstance(answer, Response)
    assert answer.status == 200
    return [value for name, value in answer.headers if name.lower() == "warning"]


async def test_a_stricter_level_names_the_pods_that_break_it(api: Server) -> None:
    for name in ("b", "a", "c"):
        await api.pod(name, hostNetwork=True)
    told = await warnings(api, enforce="baseline")
    assert told == [
        '299 - "existing pods in namespace \\"default\\" violate the new PodSecurity enforce level \\"baseline:latest\\""',
        '299 - "a (and 2 other pods): host namespaces"',
    ]
    assert await warnings(api, enforce="privileged") == []


async def test_another_image_is_looked_at_again(api: Server) -> None:
    await api.pod("p", hostNetwork=True)
    await api.merge(NAMESPACE, {"metadata": {"labels": {ENFORCE: "baseline"}}})
    pod = f"{NAMESPACE}/pods/p"
    assert (await api.merge(pod, {"metadata": {"labels": {"a": "b"}}})).status == 200
    changed = (await api.get(pod)).tree
    changed["spec"]["containers"][0]["image"] = "other"
    refused = await api.call("PUT", pod, changed)
    assert 'violates PodSecurity "baseline:latest": host namespaces' in refused.message


async def test_labels_that_are_no_levels_are_refused_unless_they_were_there(api: Server) -> None:
    refused = await api.post("/api/v1/namespaces", {"metadata": {"name": "n", "labels": {ENFORCE: "most"}}})
    assert refused.message == (
        f'Namespace "n" is invalid: metadata.labels[{ENFORCE}]: Invalid value: "most": '
        "must be one of privileged, baseline, restricted"
    )
    refused = await api.merge(NAMESPACE, {"metadata": {"labels": {f"{WARN}-version": "v2.0"}}})
    assert 'Invalid value: "v2.0": must be "latest" or "v1.x"' in refused.message


def test_what_a_namespace_says_of_a_mode() -> None:
    assert policy({}, "enforce") == ("privileged", "latest")
    assert policy({ENFORCE: "most"}, "enforce") == ("restricted", "latest")
    assert policy({WARN: "most"}, "warn") == ("privileged", "latest")
    assert policy({ENFORCE: "baseline", f"{ENFORCE}-version": "v1.20"}, "warn") == ("baseline", "v1.20")
    assert policy({ENFORCE: "baseline", WARN: "privileged"}, "warn") == ("privileged", "latest")


@pytest.mark.parametrize(
    ("level", "version", "spec", "reasons"),
    [
        ("restricted", "v1.7", {}, ["runAsNonRoot != true"]),
        ("restricted", "v1.8", {}, ["allowPrivilegeEscalation != false", "runAsNonRoot != true"]),
        (
            "restricted",
            "v1.22",
            {},
            [
                "allowPrivilegeEscalation != false",
                "unrestricted capabilities",
                "runAsNonRoot != true",
                "seccompProfile",
            ],
        ),
        ("restricted", "v1.25", {"os": {"name": "windows"}}, ["runAsNonRoot != true"]),
        ("restricted", "v1.35", {"os": {"name": "windows"}, "hostUsers": False}, []),
        ("restricted", "v1.34", {"os": {"name": "windows"}, "hostUsers": False}, ["runAsNonRoot != true"]),
        ("baseline", "v1.26", {"sysctls": ["net.ipv4.ip_local_reserved_ports"]}, ["forbidden sysctls"]),
        ("baseline", "v1.27", {"sysctls": ["net.ipv4.ip_local_reserved_ports"]}, []),
        ("baseline", "v1.30", {"type": "container_engine_t"}, ["seLinuxOptions"]),
        ("baseline", "latest", {"type": "container_engine_t"}, []),
        ("baseline", "v1.33", {"host": "a"}, []),
        ("baseline", "v1.34", {"host": "a"}, ["probe or lifecycle host"]),
        ("privileged", "latest", {"hostNetwork": True}, []),
    ],
)
def test_a_level_is_that_of_its_version(level: str, version: str, spec: dict[str, Any], reasons: list[str]) -> None:
    container: dict[str, Any] = {"name": "c"}
    if "host" in spec:
        container["livenessProbe"] = {"httpGet": {"host": spec["host"]}}
    context: dict[str, Any] = {"sysctls": [{"name": name} for name in spec.get("sysctls", ())]}
    if "type" in spec:
        context["seLinuxOptions"] = {"type": spec["type"]}
    pod = {"spec": {**spec, "containers": [container], "securityContext": context}}
    assert versions.reasons(level, version, pod) == reasons


def test_annotations_were_what_profiles_are_now() -> None:
    pod = {
        "metadata": {
            "annotations": {
                "seccomp.security.alpha.kubernetes.io/pod": "unconfined",
                "container.apparmor.security.beta.kubernetes.io/c": "unconfined",
            }
        },
        "spec": {"containers": [{"name": "c"}]},
    }
    assert versions.violations("baseline", "v1.18", pod) == [
        "forbidden AppArmor profile (annotation must not set AppArmor profile type to "
        '"container.apparmor.security.beta.kubernetes.io/c="unconfined"")',
        'seccompProfile (forbidden annotation seccomp.security.alpha.kubernetes.io/pod="unconfined")',
    ]
    assert len(versions.violations("baseline", "v1.19", pod)) == 1
