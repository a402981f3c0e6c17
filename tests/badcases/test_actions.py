"""Bad cases that something has to be done for: deletions that hang, nodes that take nothing, others that refuse."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests import registries
from tests.badcases.cases import CASES, Case
from tests.badcases.manifests import deployment, plain, pod, service
from tests.badcases.test_cases import assert_explained
from tests.live import Failed, LiveCluster

from pybernetes.cli.main import main

pytestmark = pytest.mark.live

Check = Callable[[Case], None]


@pytest.fixture
def explained(
    badcases: LiveCluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Check]:
    """Makes the objects of a case in its namespace, and waits until `p8s why` says what it has to."""
    made: list[str] = []

    def check(case: Case) -> None:
        made.append(case.name)
        badcases.kubectl("create", "namespace", case.name)
        create(badcases, case)
        assert_explained(badcases, case, capsys, monkeypatch)

    yield check
    badcases.kubectl("delete", "namespace", *made, "--wait=false", "--ignore-not-found")


def create(cluster: LiveCluster, case: Case) -> None:
    documents = "\n".join(json.dumps(obj) for obj in case.objects)
    cluster.kubectl("create", "-n", case.name, "-f", "-", input=documents)


@contextmanager
def node_that(cluster: LiveCluster, *change: str, back: tuple[str, ...]) -> Iterator[None]:
    """The one node is changed while the block runs."""
    cluster.kubectl(*change)
    try:
        yield
    finally:
        cluster.kubectl(*back)


def test_tainted_node(badcases: LiveCluster, explained: Check) -> None:
    taint, node = "dedicated=db:NoSchedule", badcases.name
    case = Case(
        "taint",
        (pod(),),
        "pod/web",
        r"it does not tolerate the taint of the nodes: dedicated=db:NoSchedule",
        r"1 node\(s\) had untolerated taint",
        rf"kubectl taint nodes {node} dedicated=db:NoSchedule-",
    )
    with node_that(badcases, "taint", "nodes", node, taint, back=("taint", "nodes", node, f"{taint}-")):
        explained(case)


def test_cordoned_node(badcases: LiveCluster, explained: Check) -> None:
    node = badcases.name
    case = Case(
        "cordon",
        (pod(),),
        "pod/web",
        rf"node {node} is cordoned: it takes no new pods",
        r"1 node\(s\) were unschedulable",
        rf"kubectl uncordon {node}",
    )
    with node_that(badcases, "cordon", node, back=("uncordon", node)):
        explained(case)


def held(obj: Any) -> Any:
    """With a finalizer that nobody takes away."""
    return obj | {"metadata": obj["metadata"] | {"finalizers": ["example.com/hold"]}}


@pytest.mark.parametrize(
    ("case", "deleted"),
    [
        (
            Case(
                "finalizer",
                (held(pod()),),
                "pod/web",
                r"finalizer example\.com/hold holds it",
                next=r"""kubectl patch pod/web -n finalizer --type=merge -p '{"metadata":{"finalizers":null}}'""",
            ),
            ("pod/web", "-n", "finalizer"),
        ),
        (
            Case(
                "terminating",
                (held(plain("ConfigMap", "held")),),
                "ns/terminating",
                r"it still holds configmaps/held, which finalizer example\.com/hold keeps",
                r"example\.com/hold in 1 resource instances",
                r"kubectl patch configmaps/held -n terminating",
            ),
            ("namespace/terminating",),
        ),
    ],
    ids=["object", "namespace"],
)
def test_deletion_that_hangs(
    badcases: LiveCluster,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    case: Case,
    deleted: tuple[str, ...],
) -> None:
    badcases.kubectl("create", "namespace", case.name)
    create(badcases, case)
    badcases.kubectl("delete", "--wait=false", *deleted)
    assert_explained(badcases, case, capsys, monkeypatch)
    [obj] = case.objects
    kind, name = obj["kind"].lower(), obj["metadata"]["name"]
    badcases.kubectl(
        "patch", f"{kind}/{name}", "-n", case.name, "--type=merge", "-p", '{"metadata":{"finalizers":null}}'
    )
    badcases.kubectl("wait", "--for=delete", *deleted, "--timeout=20s")
    badcases.kubectl("delete", "namespace", case.name, "--wait=false", "--ignore-not-found")


def test_registry_that_wants_credentials(explained: Check, tmp_path: Path) -> None:
    accounts = tmp_path / "htpasswd"
    accounts.write_text("user:$2y$05$abcdefghijklmnopqrstuuC1hPzq2cJ7x0yM3Z3b0wC1pYV6q3b7m\n")
    with registries.running_registry(tmp_path, htpasswd=accounts) as registry:
        host = registry.url.removeprefix("http://")
        explained(
            Case(
                "credentials",
                (pod(image=f"{host}/private:1"),),
                "pod/web",
                rf"{host} has no image private, or does not let us have it without credentials",
                r"pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials",
                rf"kubectl create secret docker-registry regcred -n credentials --docker-server={host}",
            )
        )
        explained(
            Case(
                "wrong-credentials",
                (login(host), pod(image=f"{host}/private:1", spec={"imagePullSecrets": [{"name": "login"}]})),
                "pod/web",
                rf"{host} refuses the credentials of secret login for {host}/private:1",
                r"unexpected status from HEAD request to \S+: 401 Unauthorized",
                r"kubectl delete secret login -n wrong-credentials",
            )
        )


def login(host: str) -> Any:
    """A secret with a password that the registry does not know."""
    config = json.dumps({"auths": {host: {"username": "user", "password": "wrong"}}})
    return plain("Secret", "login", type="kubernetes.io/dockerconfigjson", stringData={".dockerconfigjson": config})


def test_webhook_that_does_not_answer(badcases: LiveCluster, explained: Check) -> None:
    webhook = {
        "name": "pods.example.com",
        "clientConfig": {"url": "https://127.0.0.1:1/check"},
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "webhook"}},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
    }
    api_version = "admissionregistration.k8s.io/v1"
    configuration = plain("ValidatingWebhookConfiguration", "badcase", api_version, webhooks=[webhook])
    try:
        explained(
            Case(
                "webhook",
                (configuration, deployment()),
                "deployment/web",
                r"admission webhook pods\.example\.com does not answer, and its failurePolicy is Fail",
                r'failed calling webhook "pods\.example\.com": failed to call webhook: Post',
            )
        )
    finally:
        badcases.kubectl("delete", "validatingwebhookconfiguration", "badcase", "--ignore-not-found")


def test_webhook_whose_service_is_gone(badcases: LiveCluster, explained: Check) -> None:
    """The configuration itself says what it keeps from happening."""
    webhook = {
        "name": "guard.example.com",
        "clientConfig": {"service": {"name": "guard", "namespace": "guarded"}},
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "guarded"}},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}],
    }
    configuration = plain(
        "MutatingWebhookConfiguration", "guard", "admissionregistration.k8s.io/v1", webhooks=[webhook]
    )
    try:
        explained(
            Case(
                "guarded",
                (configuration,),
                "mutatingwebhookconfiguration/guard",
                r"webhook guard\.example\.com does not answer: CREATE of configmaps is refused .* chosen by kubernetes\.io/metadata\.name",
                next=r"kubectl delete mutatingwebhookconfiguration/guard$",
            )
        )
    finally:
        badcases.kubectl("delete", "mutatingwebhookconfiguration", "guard", "--ignore-not-found")


def test_conversion_webhook_that_is_gone(badcases: LiveCluster, explained: Check) -> None:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    client = {"service": {"name": "converter", "namespace": "conversion"}}
    spec = {
        "group": "badcase.example.com",
        "scope": "Namespaced",
        "names": {"plural": "toys", "singular": "toy", "kind": "Toy"},
        "versions": [{"name": f"v{n}", "served": True, "storage": n == 1, "schema": schema} for n in (1, 2)],
        "conversion": {"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": client}},
    }
    name = "toys.badcase.example.com"
    definition = plain("CustomResourceDefinition", name, "apiextensions.k8s.io/v1", spec=spec)
    try:
        explained(
            Case(
                "conversion",
                (definition,),
                f"crd/{name}",
                r"its conversion webhook does not answer: objects stored as v1 cannot be read in another version",
                next=rf"kubectl patch customresourcedefinition/{name} --type=merge",
            )
        )
    finally:
        badcases.kubectl("delete", "crd", name, "--ignore-not-found")


def test_custom_resource_that_is_not_ready(badcases: LiveCluster, explained: Check) -> None:
    """By the conventions of conditions; any name of its kind will do."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    spec = {
        "group": "badcase.example.com",
        "scope": "Namespaced",
        "names": {"plural": "kites", "singular": "kite", "kind": "Kite", "shortNames": ["kt"]},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
    }
    ready = {"type": "Ready", "status": "False", "reason": "NoWind", "message": "waiting for 3 Beaufort"}
    kite = plain("Kite", "red", "badcase.example.com/v1", status={"conditions": [ready]})
    name = "kites.badcase.example.com"
    badcases.kubectl(
        "create",
        "-f",
        "-",
        input=json.dumps(plain("CustomResourceDefinition", name, "apiextensions.k8s.io/v1", spec=spec)),
    )
    try:
        badcases.kubectl("wait", "--for=condition=Established", f"crd/{name}", "--timeout=30s")
        words = (
            r"its condition Ready is False: NoWind",
            r"waiting for 3 Beaufort",
            r"kubectl describe kite/red -n kites",
        )
        explained(Case("kites", (kite,), "kt/red", *words))
        held = {"metadata": {"finalizers": ["example.com/string"]}}
        badcases.kubectl("patch", "-n", "kites", "kite/red", "--type=merge", "-p", json.dumps(held))
        badcases.kubectl("delete", "-n", "kites", "kite/red", "--wait=false")
        assert (
            main(["why", "Kite.badcase.example.com/red", "-n", "kites", "--profile", badcases.name, "--exit-code"]) == 1
        )
        badcases.kubectl("patch", "-n", "kites", "kite/red", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    finally:
        badcases.kubectl("delete", "crd", name, "--ignore-not-found")


def test_drain_that_a_budget_holds_up(
    badcases: LiveCluster, explained: Check, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pod runs before its node is cordoned."""
    budget = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}
    objects = (deployment(), plain("PodDisruptionBudget", "web", "policy/v1", spec=budget))
    explained(Case("drain", objects, "deployment/web", ""))
    badcases.kubectl("rollout", "status", "-n", "drain", "deployment/web", "--timeout=60s")
    case = Case(
        "drain",
        (),
        f"node/{badcases.name}",
        r"it wants all pods that there are, so that none may be evicted",
        next=r"kubectl edit poddisruptionbudget/web -n drain$",
    )
    with node_that(badcases, "cordon", badcases.name, back=("uncordon", badcases.name)):
        assert_explained(badcases, case, capsys, monkeypatch)


def test_node_port_that_is_taken(badcases: LiveCluster) -> None:
    """Refused at once, in upstream's words: there is no object to explain."""
    documents = [json.dumps(service(n, type="NodePort", ports=[{"port": 80, "nodePort": 30999}])) for n in ("a", "b")]
    badcases.kubectl("create", "-f", "-", input=documents[0])
    with pytest.raises(Failed, match=r"nodePort: Invalid value: 30999: provided port is already allocated"):
        badcases.kubectl("create", "-f", "-", input=documents[1])
    badcases.kubectl("delete", "service", "a")


def test_mistakes_are_told_by_kubectl(badcases: LiveCluster) -> None:
    """As warnings at the write, beside upstream's own."""
    document = pod("mistakes", image="nginx@latest") | {
        "metadata": {"name": "mistakes", "labels": {"kubernets.io/a": "b"}}
    }
    with pytest.raises(Failed) as told:
        badcases.kubectl("create", "--dry-run=server", "--warnings-as-errors", "-f", "-", input=json.dumps(document))
    said = str(told.value)
    assert 'Warning: metadata.labels[kubernets.io/a]: unknown key, did you mean "kubernetes.io/a"?' in said
    assert 'Warning: spec.containers[0].image: "nginx@latest": invalid reference format' in said


def test_a_list_is_validated_by_kubectl(badcases: LiveCluster) -> None:
    """For which it asks for OpenAPI v2 in protobuf."""
    items = [plain("ConfigMap", "a", data={"x": "y"}), plain("Secret", "b")]
    badcases.kubectl(
        "create", "--dry-run=server", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    )
    items[0]["dataa"] = items[0].pop("data")
    with pytest.raises(Failed, match=r'ValidationError\(ConfigMap\): unknown field "dataa" in io\.k8s\.api\.core\.v1'):
        badcases.kubectl(
            "create",
            "--dry-run=server",
            "-f",
            "-",
            input=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}),
        )


def test_who_may_see_one_namespace_is_told_of_that(
    badcases: LiveCluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A user of a team, with the role `view` in the namespace of another case."""
    case = next(case for case in CASES if case.name == "image-name")
    badcases.kubectl("-n", case.name, "create", "serviceaccount", "dev")
    badcases.kubectl(
        "-n", case.name, "create", "rolebinding", "dev", "--clusterrole=view", f"--serviceaccount={case.name}:dev"
    )
    config = json.loads(badcases.kubectl("config", "view", "--raw", "-o", "json"))
    config["users"][0]["user"] = {"token": badcases.kubectl("-n", case.name, "create", "token", "dev").strip()}
    config["contexts"][0]["context"]["namespace"] = case.name
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(path))
    assert main(["why", "--exit-code"]) == 1
    assert "deployment/web" in capsys.readouterr().out
    assert main(["why", "node", badcases.name]) == 1
    assert capsys.readouterr().err.startswith("error: you may not list nodes")
