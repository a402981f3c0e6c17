"""Revisions as clients read them: upstream's daemon controller, and tests of it, compare them byte by byte."""

import json

import msgspec

from pybernetes.api.types import apps_v1, core_v1, meta_v1
from pybernetes.controllers.history import decode, encode

TEMPLATE = core_v1.PodTemplateSpec(
    metadata=meta_v1.ObjectMeta(labels={"z": "1", "a": "2"}),
    spec=core_v1.PodSpec(
        host_aliases=[core_v1.HostAlias(ip="192.0.2.1", hostnames=["h"])],
        host_network=True,
        containers=[
            core_v1.Container(
                name="c",
                image="i",
                ports=[core_v1.ContainerPort(name="p", container_port=80, host_ip="192.0.2.1", host_port=80)],
                resources=core_v1.ResourceRequirements(limits={"memory": "1Gi", "cpu": "1"}),
            )
        ],
    ),
)


def test_all_names_are_in_the_order_of_go() -> None:
    sent = msgspec.json.encode(encode(TEMPLATE))
    assert sent.decode() == json.dumps(json.loads(sent), sort_keys=True, separators=(",", ":"))
    assert sent.startswith(b'{"spec":{"template":{"$patch":"replace","metadata":')


def test_a_template_is_read_again() -> None:
    assert decode(apps_v1.ControllerRevision(data=encode(TEMPLATE), revision=1)) == TEMPLATE
