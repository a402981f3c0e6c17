"""ServiceAccount: every pod runs as an account, whose token is mounted where client libraries look for it."""

from collections.abc import Sequence
from random import Random
from typing import Any

from pybernetes.aio.clock import Clock, SystemClock
from pybernetes.api.tree import Tree
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.stages.admit.plugin import Plugin, refuse
from pybernetes.apiserver.stages.admit.pods import containers, is_mirror
from pybernetes.apiserver.stages.authenticate.tokens.issuer import WARN_ONLY_BOUND
from pybernetes.apiserver.stages.authorize.references import references
from pybernetes.apiserver.stages.objects import Objects

DEFAULT = "default"
VOLUME_PREFIX = "kube-api-access-"
MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
LOOKS = 30
LOOK_SECONDS = 0.05
"""A namespace's default account is made by a controller: a pod that comes right behind the namespace waits for it."""
SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


class ServiceAccount(Plugin):
    name = "ServiceAccount"
    operations = frozenset(("CREATE",))
    resources = frozenset(("pods",))

    def __init__(self, objects: Objects, random: Random, clock: Clock | None = None) -> None:
        self._objects = objects
        self._random = random
        self._clock = clock or SystemClock()
        self._suffix = self._drawn()

    async def mutate(self, attributes: Attributes) -> None:
        pod = attributes.object
        if pod is None:
            return
        if is_mirror(pod):
            _refuse_references(attributes, pod)
            return
        spec = pod["spec"]
        name = spec.get("serviceAccountName") or DEFAULT
        spec["serviceAccountName"] = spec["serviceAccount"] = name
        await self._wait_default(attributes.namespace, name)
        account = self._account(attributes, name)
        if _wants_token(spec, account):
            self._mount_token(spec)
        if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
            spec["imagePullSecrets"] = [dict(secret) for secret in account["imagePullSecrets"]]

    async def validate(self, attributes: Attributes) -> None:
        pod = attributes.object
        if pod is None:
            return
        if is_mirror(pod):
            _refuse_references(attributes, pod)
        else:
            self._account(attributes, pod["spec"].get("serviceAccountName", ""))

    async def _wait_default(self, namespace: str, name: str) -> None:
        for _ in range(LOOKS if name == DEFAULT else 0):
            if self._objects.get("", "serviceaccounts", namespace, name) is not None:
                return
            await self._clock.sleep(LOOK_SECONDS)

    def _account(self, attributes: Attributes, name: str) -> Tree:
        account = self._objects.get("", "serviceaccounts", attributes.namespace, name)
        if account is None:
            where = f"{attributes.namespace}/{name}"
            raise refuse(attributes, f'error looking up service account {where}: serviceaccount "{name}" not found')
        return account

    def _mount_token(self, spec: Tree) -> None:
        volumes: list[Tree] = spec.get("volumes") or []
        name = self._volume_name(volumes)
        mounted = False
        for container in containers(spec, "initContainers", "containers"):
            mounts: list[Tree] = container.get("volumeMounts") or []
            if all(mount.get("mountPath") != MOUNT_PATH for mount in mounts):
                container["volumeMounts"] = [*mounts, {"name": name, "readOnly": True, "mountPath": MOUNT_PATH}]
                mounted = True
        if mounted and all(volume["name"] != name for volume in volumes):
            spec["volumes"] = [*volumes, token_volume(name)]

    def _volume_name(self, volumes: Sequence[Tree]) -> str:
        """The name of a token volume that the pod has already, or one that no volume has."""
        taken = {volume["name"] for volume in volumes}
        for volume in volumes:
            if volume["name"].startswith(VOLUME_PREFIX) and volume == token_volume(volume["name"]):
                return str(volume["name"])
        name = VOLUME_PREFIX + self._suffix
        while name in taken:
            name = VOLUME_PREFIX + self._drawn()
        return name

    def _drawn(self) -> str:
        """The end of a name: only within a pod must it be the volume's own, so pods that are made alike stay alike."""
        return "".join(self._random.choices(SUFFIX_ALPHABET, k=5))


def _refuse_references(attributes: Attributes, pod: Tree) -> None:
    """A mirror pod needs nothing of the API."""
    spec = pod["spec"]
    if spec.get("serviceAccountName"):
        raise refuse(attributes, "a mirror pod may not reference service accounts")
    if any(plural == "secrets" and name for plural, name in references(pod)):
        raise refuse(attributes, "a mirror pod may not reference secrets")
    for volume in spec.get("volumes") or ():
        sources = (volume.get("projected") or {}).get("sources") or ()
        if any("serviceAccountToken" in source for source in sources):
            raise refuse(attributes, "a mirror pod may not use ServiceAccountToken volume projections")


def _wants_token(spec: Tree, account: Tree) -> bool:
    for owner in (spec, account):
        automount = owner.get("automountServiceAccountToken")
        if automount is not None:
            return bool(automount)
    return True


def token_volume(name: str) -> dict[str, Any]:
    """The volume with the account's token, the cluster's authority and the pod's namespace."""
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    return {
        "name": name,
        "projected": {
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": WARN_ONLY_BOUND, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [namespace]}},
            ],
            "defaultMode": 0o644,
        },
    }
