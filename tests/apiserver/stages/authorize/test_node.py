"""The node authorizer: what a node reaches by its pods, and what is its own."""

import pytest
from tests.apiserver.stages.object_table import ObjectTable

from pybernetes.api.tree import Tree
from pybernetes.apiserver.stages.authorize.attributes import Attributes
from pybernetes.apiserver.stages.authorize.node import NodeAuthorizer
from pybernetes.apiserver.stages.authorize.node_graph import NodeGraph
from pybernetes.apiserver.user import UserInfo

NODE = UserInfo("system:node:n1", groups=("system:nodes",))
POD: Tree = {
    "metadata": {"name": "p", "namespace": "ns"},
    "spec": {
        "nodeName": "n1",
        "serviceAccountName": "robot",
        "imagePullSecrets": [{"name": "pull"}],
        "containers": [
            {"name": "c", "env": [{"name": "E", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "k"}}}]}
        ],
        "volumes": [
            {"name": "s", "secret": {"secretName": "vol"}},
            {"name": "c", "persistentVolumeClaim": {"claimName": "claim"}},
        ],
    },
}


def authorizer(*pods: Tree) -> NodeAuthorizer:
    objects = ObjectTable()
    claim = {"metadata": {"name": "claim", "namespace": "ns"}, "spec": {"volumeName": "pv"}}
    reference = {"namespace": "ns", "name": "claim"}
    secret = {"namespace": "ns", "name": "csi"}
    volume = {"metadata": {"name": "pv"}, "spec": {"claimRef": reference, "csi": {"nodeStageSecretRef": secret}}}
    objects.put("", "persistentvolumeclaims", claim)
    objects.put("", "persistentvolumes", volume)
    graph = NodeGraph(objects)
    for pod in pods:
        graph.change(None, pod)
    return NodeAuthorizer(graph, [])


@pytest.mark.parametrize(
    ("plural", "verb", "name", "part"),
    [
        ("secrets", "get", "vol", ""),
        ("secrets", "watch", "pull", ""),
        ("secrets", "get", "csi", ""),
        ("configmaps", "get", "cm", ""),
        ("persistentvolumeclaims", "get", "claim", ""),
        ("serviceaccounts", "create", "robot", "token"),
        ("pods", "get", "p", ""),
    ],
)
def test_a_node_reaches_what_its_pods_refer_to(plural: str, verb: str, name: str, part: str) -> None:
    asked = Attributes(NODE, verb, resource=plural, subresource=part, namespace="ns", name=name)
    assert authorizer(POD).authorize(asked).allowed
    assert not authorizer().authorize(asked).allowed
    other = UserInfo("system:node:n2", groups=("system:nodes",))
    refused = authorizer(POD).authorize(
        Attributes(other, verb, resource=plural, subresource=part, namespace="ns", name=name)
    )
    assert refused.reason == "no relationship found between node 'n2' and this object"


def test_references_end_with_their_pod() -> None:
    graph = NodeGraph(ObjectTable())
    graph.change(None, POD)
    graph.change(POD, POD | {"metadata": POD["metadata"] | {"labels": {}}})
    assert graph.reaches("n1", "secrets", "ns", "vol")
    graph.change(POD, None)
    assert not graph.reaches("n1", "secrets", "ns", "vol")


def test_claims_that_are_made_for_a_pod_are_its_own() -> None:
    graph = NodeGraph(ObjectTable())
    graph.change(None, POD)
    made = POD | {"status": {"resourceClaimStatuses": [{"name": "a", "resourceClaimName": "made"}]}}
    graph.change(POD, made)
    assert graph.reaches("n1", "resourceclaims", "ns", "made")
    extended = POD | {"status": {"extendedResourceClaimStatus": {"resourceClaimName": "extended"}}}
    graph.change(made, extended)
    assert graph.reaches("n1", "resourceclaims", "ns", "extended")
    assert not graph.reaches("n1", "resourceclaims", "ns", "made")


@pytest.mark.parametrize(
    ("group", "plural"), [("storage.k8s.io", "volumeattachments"), ("resource.k8s.io", "resourceslices")]
)
def test_what_names_a_node_is_its_own(group: str, plural: str) -> None:
    objects = ObjectTable()
    objects.put(group, plural, {"metadata": {"name": "x"}, "spec": {"nodeName": "n1"}})
    graph = NodeGraph(objects)
    assert graph.reaches("n1", plural, "", "x")
    assert not graph.reaches("n2", plural, "", "x")
    assert not graph.reaches("n1", plural, "", "y")


@pytest.mark.parametrize(
    ("source", "secret"),
    [
        ({"csi": {"nodeExpandSecretRef": {"name": "s", "namespace": "other"}}}, ("other", "s")),
        ({"rbd": {"secretRef": {"name": "s"}}}, ("ns", "s")),
        ({"azureFile": {"secretName": "s"}}, ("ns", "s")),
        ({"csi": {"controllerPublishSecretRef": {"name": "s", "namespace": "ns"}}}, None),
    ],
)
def test_secrets_of_volumes(source: Tree, secret: tuple[str, str] | None) -> None:
    objects = ObjectTable()
    objects.put(
        "", "persistentvolumeclaims", {"metadata": {"name": "claim", "namespace": "ns"}, "spec": {"volumeName": "pv"}}
    )
    spec = {"claimRef": {"namespace": "ns", "name": "claim"}, **source}
    objects.put("", "persistentvolumes", {"metadata": {"name": "pv"}, "spec": spec})
    graph = NodeGraph(objects)
    graph.change(None, POD)
    assert graph.reaches("n1", "secrets", *(secret or ("ns", "s"))) is (secret is not None)


def test_a_mirror_pod_opens_nothing() -> None:
    mirror = POD | {"metadata": POD["metadata"] | {"annotations": {"kubernetes.io/config.mirror": "x"}}}
    asked = Attributes(NODE, "get", resource="secrets", namespace="ns", name="vol")
    assert not authorizer(mirror).authorize(asked).allowed


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        (Attributes(NODE, "list", resource="pods", field_selector="spec.nodeName=n1"), True),
        (Attributes(NODE, "list", resource="pods", field_selector="spec.nodeName=n2"), False),
        (Attributes(NODE, "list", resource="pods"), False),
        (Attributes(NODE, "list", resource="secrets", namespace="ns"), False),
        (Attributes(NODE, "create", resource="nodes"), True),
        (Attributes(NODE, "get", resource="nodes", name="n2"), False),
        (Attributes(NODE, "update", "coordination.k8s.io", resource="leases", namespace="kube-node-lease", name="n1"), True),
        (Attributes(NODE, "update", "coordination.k8s.io", resource="leases", namespace="kube-node-lease", name="n2"), False),
        (Attributes(NODE, "get", "coordination.k8s.io", resource="leases", namespace="ns", name="n1"), False),
        (Attributes(UserInfo("bob"), "get", resource="nodes", name="n1"), False),
    ],
)  # fmt: skip
def test_what_is_a_nodes_own(asked: Attributes, allowed: bool) -> None:
    assert authorizer(POD).authorize(asked).allowed is allowed
