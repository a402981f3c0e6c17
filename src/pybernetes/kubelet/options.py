"""The kubelet's settings: upstream's flags, and the part of a KubeletConfiguration file that has a meaning here."""

import argparse
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from pybernetes.api.types import core_v1 as v1
from pybernetes.flags import boolean, key_values, words


class Options(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Settings by their KubeletConfiguration names; those that are flags only have upstream's flag names."""

    kubeconfig: str = ""
    hostname_override: str = ""
    node_ip: str = ""
    root_dir: str = "/var/lib/kubelet"
    pod_logs_dir: str = "/var/log/pods"
    container_runtime_endpoint: str = ""
    node_labels: dict[str, str] = {}
    register_with_taints: list[v1.Taint] = []
    register_node: bool = True
    address: str = "0.0.0.0"
    port: int = 10250
    healthz_bind_address: str = "127.0.0.1"
    healthz_port: int = 0
    tls_cert_file: str = ""
    tls_private_key_file: str = ""
    client_ca_file: str = ""
    anonymous_auth: bool = False
    pod_cidr: str = ""
    cluster_dns: list[str] = msgspec.field(name="clusterDNS", default_factory=list)
    cluster_domain: str = "cluster.local"
    resolv_conf: str = "/etc/resolv.conf"
    static_pod_path: str = ""
    cgroup_root: str = "/"
    shares_machine: bool = False
    max_pods: int = 110
    system_reserved: dict[str, str] = {}
    kube_reserved: dict[str, str] = {}
    eviction_hard: dict[str, str] = msgspec.field(
        default_factory=lambda: {"memory.available": "100Mi", "nodefs.available": "10%"}
    )
    eviction_pressure_transition_period: float = 300.0
    container_log_max_size: str = "10Mi"
    container_log_max_files: int = 5
    max_restart_period_seconds: float = 300.0
    image_gc_high_threshold_percent: int = 85
    image_gc_low_threshold_percent: int = 80
    image_minimum_gc_age_seconds: float = 120.0
    verbosity: int = 0

    @property
    def node_name(self) -> str:
        """The override, else the machine's own name in lower case."""
        return (self.hostname_override or platform.node()).lower()

    @property
    def root(self) -> Path:
        return Path(self.root_dir)


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Options from the command line; `--config` names a KubeletConfiguration, over which flags win."""
    given = {name: value for name, value in vars(parser().parse_args(arguments)).items() if value is not None}
    config = given.pop("config", "")
    from_file = read_configuration(Path(config)) if config else {}
    return msgspec.convert(from_file | {_camel(name): value for name, value in given.items()}, Options, strict=False)


def read_configuration(path: Path) -> dict[str, Any]:
    """The known fields of a KubeletConfiguration file, by the names of `Options`. Raises ValueError for another kind."""
    import yaml  # most nodes are configured by flags

    tree = yaml.safe_load(path.read_text()) or {}
    if tree.get("kind") != "KubeletConfiguration":
        raise ValueError(f"{path}: not a KubeletConfiguration")
    known = {field.encode_name for field in msgspec.structs.fields(Options)}
    found = {name: value for name, value in tree.items() if name in known}
    authentication = tree.get("authentication", {})
    if ca := authentication.get("x509", {}).get("clientCAFile"):
        found["clientCaFile"] = ca
    if "enabled" in authentication.get("anonymous", {}):
        found["anonymousAuth"] = authentication["anonymous"]["enabled"]
    if limit := tree.get("crashLoopBackOff", {}).get("maxContainerRestartPeriod"):
        found["maxRestartPeriodSeconds"] = float(str(limit).removesuffix("s"))
    return found


def _camel(name: str) -> str:
    for field in msgspec.structs.fields(Options):
        if field.name == name:
            return field.encode_name
    return name


def parser() -> argparse.ArgumentParser:
    """Of the kubelet's flags, under upstream's names."""
    made = argparse.ArgumentParser(prog="p8s kubelet", description="Runs the pods of one node.")
    add = made.add_argument
    add("--config", help="KubeletConfiguration file; flags win over it")
    add("--kubeconfig", help="how to reach the API server")
    add("--hostname-override", help="the node's name")
    add("--node-ip", help="the node's address")
    add("--root-dir", help="where pods and volumes live")
    add("--pod-logs-dir", help="where container logs live")
    add("--container-runtime-endpoint", help="unix:///path of the runtime's socket")
    add("--node-labels", type=_map, help="a=b,c=d: labels of the node when it registers")
    add("--register-with-taints", type=_taints, help="key=value:Effect,...: taints of the node when it registers")
    add("--register-node", type=boolean, nargs="?", const=True, help="whether to register the node")
    add("--address", help="where the kubelet's server listens")
    add("--port", type=int, help="port of the kubelet's server")
    add("--healthz-bind-address")
    add("--healthz-port", type=int, help="0 for none")
    add("--tls-cert-file")
    add("--tls-private-key-file")
    add("--client-ca-file", help="signs the client certificates that may speak to the server")
    add("--anonymous-auth", type=boolean, nargs="?", const=True)
    add("--pod-cidr", help="the node's pod range, if the API server does not give one")
    add("--cluster-dns", type=words)
    add("--cluster-domain")
    add("--resolv-conf")
    add("--pod-manifest-path", dest="static_pod_path", help="directory of static pods")
    add("--cgroup-root")
    add(
        "--shares-machine", type=boolean, nargs="?", const=True,
        help="other nodes run on this machine: what the node uses is what its cgroup uses",
    )  # fmt: skip
    add("--max-pods", type=int)
    add("--system-reserved", type=_map)
    add("--kube-reserved", type=_map)
    add(
        "--eviction-hard",
        type=_thresholds,
        help="memory.available<100Mi,nodefs.available<10%%: what counts as pressure",
    )
    add("--container-log-max-size")
    add("--container-log-max-files", type=int)
    add("--image-gc-high-threshold", dest="image_gc_high_threshold_percent", type=int)
    add("--image-gc-low-threshold", dest="image_gc_low_threshold_percent", type=int)
    add("-v", "--v", dest="verbosity", type=int)
    return made


def _map(text: str) -> dict[str, str]:
    return dict(key_values(text))


def _thresholds(text: str) -> dict[str, str]:
    return {name: value for name, _, value in (part.partition("<") for part in words(text))}


def _taints(text: str) -> list[dict[str, str]]:
    """`key=value:Effect`; `key:Effect` has no value."""
    taints = []
    for part in words(text):
        pair, _, effect = part.rpartition(":")
        key, _, value = pair.partition("=")
        taints.append({"key": key, "effect": effect} | ({"value": value} if value else {}))
    return taints
