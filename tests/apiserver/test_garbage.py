"""Whatever a body holds, the answer is never a 5xx."""

import copy
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.apiserver.inprocess import server

CORE = "/api/v1/namespaces/default"
GARBAGE: list[Any] = [None, 1, "x", [], {}, True, [{}], [None], {"name": "a"}, -1, 1e30, "é\n", {"a": None}]
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}
BODIES: list[tuple[str, dict[str, Any]]] = [
    (f"{CORE}/pods", TEMPLATE | {"metadata": {"name": "q"}}),
    (f"{CORE}/pods/p/binding", {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}),
    (f"{CORE}/bindings", {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}),
    (f"{CORE}/pods/p/eviction", {"apiVersion": "policy/v1", "metadata": {"name": "p"}, "deleteOptions": {"dryRun": ["All"]}}),
    (f"{CORE}/serviceaccounts/default/token", {"spec": {"audiences": ["a"], "boundObjectRef": {"kind": "Pod", "name": "p"}}}),
    (f"{CORE}/services", {"metadata": {"name": "s"}, "spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": 31000}]}}),
    (f"{CORE}/limitranges", {"metadata": {"name": "l"}, "spec": {"limits": [{"type": "Pod", "max": {"cpu": "64"}}]}}),
    (f"{CORE}/resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "99"}, "scopes": ["BestEffort"]}}),
    (f"{CORE}/persistentvolumeclaims", {"metadata": {"name": "c"}, "spec": {"resources": {"requests": {"storage": "1Gi"}}}}),
    ("/api/v1/namespaces", {"metadata": {"name": "n", "labels": {"a": "b"}}, "spec": {"finalizers": ["kubernetes"]}}),
    ("/api/v1/nodes", {"metadata": {"name": "n"}, "spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]}}),
    ("/apis/batch/v1/namespaces/default/jobs", {"metadata": {"name": "j"}, "spec": {"template": TEMPLATE}}),
    (
        "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles",
        {"metadata": {"name": "r"}, "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]},
    ),
    (
        "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings",
        {"metadata": {"name": "r"}, "roleRef": ROLE, "subjects": [{"kind": "User", "name": "u"}]},
    ),
    (
        "/apis/certificates.k8s.io/v1/certificatesigningrequests",
        {"metadata": {"name": "c"}, "spec": {"request": "eA==", "signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"]}},
    ),
    (
        "/apis/authorization.k8s.io/v1/subjectaccessreviews",
        {"spec": {"user": "u", "groups": ["g"], "resourceAttributes": {"verb": "get", "resource": "pods"}}},
    ),
    ("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", {"spec": {"namespace": "default"}}),
    ("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": "t", "audiences": ["a"]}}),
]  # fmt: skip


def spoiled(body: dict[str, Any], random: Random) -> Any:
    """The body with one to three of its parts replaced by garbage."""
    if random.random() < 0.05:
        return random.choice(GARBAGE)
    made = copy.deepcopy({"apiVersion": None, "kind": None} | body)
    for _ in range(random.randint(1, 3)):
        node: Any = made
        while node:
            key = random.choice(list(node) if isinstance(node, dict) else range(len(node)))
            if random.random() < 0.3 or not isinstance(node[key], dict | list) or not node[key]:
                node[key] = copy.deepcopy(random.choice(GARBAGE))
                break
            node = node[key]
    return made


@pytest.mark.parametrize("token", ["admin", "node"])
async def test_garbage_is_refused(tmp_path: Path, token: str) -> None:
    random = Random(7)
    async with server(tmp_path) as api:
        await api.pod("p")
        for _ in range(500):
            path, body = random.choice(BODIES)
            sent = spoiled(body, random)
            answer = await api.raw("POST", path, sent, token=token)
            assert answer.status < 500, (path, sent)
