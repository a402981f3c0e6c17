"""Quality-of-service classes out of requests and limits."""

import pytest

from pybernetes.api.pod_qos import qos_class

ALL = {"cpu": "1", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ([{}], "BestEffort"),
        ([{"requests": {"cpu": "0"}}], "BestEffort"),
        ([{"requests": {"ephemeral-storage": "1Gi"}}], "BestEffort"),
        ([{"requests": ALL, "limits": ALL}], "Guaranteed"),
        ([{"requests": {**ALL, "cpu": "1000m"}, "limits": ALL}], "Guaranteed"),
        ([{"requests": ALL, "limits": ALL}, {}], "Burstable"),
        ([{"requests": {"cpu": "1"}}], "Burstable"),
        ([{"requests": ALL, "limits": {**ALL, "cpu": "2"}}], "Burstable"),
    ],
)
def test_class_of_containers(resources, expected):
    assert qos_class({"containers": [{"resources": one} for one in resources]}) == expected
    assert qos_class({"initContainers": [{"resources": one} for one in resources]}) == expected


def test_the_resources_of_the_pod_itself_count_first():
    assert qos_class({"containers": [{}], "resources": {"requests": ALL, "limits": ALL}}) == "Guaranteed"
