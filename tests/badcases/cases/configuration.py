"""What pods are configured by, and is not there."""

from __future__ import annotations

from tests.badcases.cases.case import Case, Tree
from tests.badcases.manifests import plain, pod


def env_from(**source: Tree) -> Tree:
    return {"env": [{"name": "KEY", "valueFrom": source}]}


CONFIGURATION = (
    Case(
        "config-map",
        (
            plain("ConfigMap", "settings", data={"a": "1"}),
            pod(**env_from(configMapKeyRef={"name": "setings", "key": "a"})),
        ),
        "pod/web",
        r'configmap setings does not exist; nearest is "settings"',
        r'configmap "setings" not found',
        r"name settings instead of setings: correct the manifest of pod/web",
    ),
    Case(
        "config-two",
        (pod(envFrom=[{"secretRef": {"name": "keys"}}], **env_from(configMapKeyRef={"name": "settings", "key": "a"})),),
        "pod/web",
        r"secret keys does not exist; nor does configmap settings",
        r'secret "keys" not found',
        r"kubectl create configmap settings -n config-two --from-literal=KEY=VALUE",
    ),
    Case(
        "config-key",
        (
            plain("ConfigMap", "settings", data={"colour": "1"}),
            pod(**env_from(configMapKeyRef={"name": "settings", "key": "color"})),
        ),
        "pod/web",
        r"configmap settings has no key color; it has: colour",
        r"couldn't find key color in ConfigMap config-key/settings",
        r"name colour instead of color: correct the manifest of pod/web",
    ),
    Case(
        "secret-volume",
        (pod(volumes={"keys": {"secret": {"secretName": "keys"}}}),),
        "pod/web",
        r"secret keys does not exist",
        r'MountVolume\.SetUp failed for volume "keys" : secret "keys" not found',
    ),
    Case(
        "config-file",
        (
            plain("ConfigMap", "settings", data={"a.conf": "1"}),
            pod(volumes={"files": {"configMap": {"name": "settings", "items": [{"key": "b.conf", "path": "b"}]}}}),
        ),
        "pod/web",
        r"configmap settings has no key b\.conf; it has: a\.conf",
        r'MountVolume\.SetUp failed for volume "files" : configmap references non-existent config key: b\.conf',
    ),
    Case(
        "root-user",
        (pod(securityContext={"runAsNonRoot": True}),),
        "pod/web",
        r"runAsNonRoot is set, and the image's user is root",
        r"container has runAsNonRoot and image will run as root",
    ),
    Case(
        "sub-path",
        (
            plain("ConfigMap", "settings", data={"app.cnf": "1"}),
            pod(
                command=["cat", "/etc/app.conf"],
                spec={"volumes": [{"name": "files", "configMap": {"name": "settings"}}]},
                volumeMounts=[{"name": "files", "mountPath": "/etc/app.conf", "subPath": "app.conf"}],
            ),
        ),
        "pod/web",
        r'subPath app\.conf is no file of configmap settings; nearest is "app\.cnf": an empty directory is mounted at /etc/app\.conf',
        next=r"correct subPath of container app",
    ),
)
