"""The kubelet's settings: upstream's flags, and the part of a KubeletConfiguration file that has a meaning here."""

import argparse
import platform
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import msgspec

from pybernetes import flags
from pybernetes.api.types import core_v1 as v1


def _thresholds(text: str) -> flags.Pairs:
    """`memory.available<100Mi,...`"""
    return tuple((name, value) for name, _, value in (part.partition("<") for part in flags.words(text)))


def _taints(text: str) -> list[v1.Taint]:
    """`key=value:Effect`; `key:Effect` has no value."""
    taints = []
    for part in flags.words(text):
        pair, _, effect = part.rpartition(":")
        key, _, value = pair.partition("=")
        taints.append(v1.Taint(key=key, effect=effect, value=value or None))
    return taints


@dataclass(frozen=True)
class Options:
    """Fields are called as in a KubeletConfiguration; durations are seconds."""

    kubeconfig: str = flags.option("", "how to reach the API server")
    hostname_override: str = flags.option("", "the node's name")
    node_ip: str = flags.option("", "the node's address")
    root_dir: str = flags.option("/var/lib/kubelet", "where pods and volumes live")
    pod_logs_dir: str = flags.option("/var/log/pods", "where container logs live")
    enable_system_log_handler: bool = flags.option(True, "whether /logs/ shows the directory above the pods' logs")
    container_runtime_endpoint: str = flags.option("", "unix:///path of the runtime's socket")
    node_labels: flags.Pairs = flags.option(
        (), "a=b,c=d: labels of the node when it registers", read=flags.key_values
    )  # fmt: skip
    register_with_taints: tuple[v1.Taint, ...] = flags.option(
        (), "key=value:Effect,...: taints of the node when it registers", read=_taints
    )
    address: str = flags.option("0.0.0.0", "where the kubelet's server listens")
    port: int = flags.option(10250, "port of the kubelet's server")
    tls_cert_file: str = flags.option("", "the server's certificate; self-signed if empty")
    tls_private_key_file: str = ""
    cert_dir: str = flags.option("/var/lib/kubelet/pki", "where a self-signed certificate is kept")
    client_ca_file: str = flags.option("", "signs the client certificates that may speak to the server")
    anonymous_auth: bool = False
    pod_cidr: str = flags.option("", "the node's pod range, if the API server does not give one")
    cluster_dns: tuple[str, ...] = ()
    cluster_domain: str = "cluster.local"
    resolv_conf: str = "/etc/resolv.conf"
    static_pod_path: str = flags.option("", "directory of static pods", flag="--pod-manifest-path")
    cgroup_root: str = "/"
    shares_machine: bool = flags.option(
        False, "other nodes run on this machine: what the node uses is what its cgroup uses"
    )
    max_pods: int = 110
    system_reserved: flags.Pairs = flags.option((), read=flags.key_values)
    kube_reserved: flags.Pairs = flags.option((), read=flags.key_values)
    eviction_hard: flags.Pairs = flags.option(
        (("memory.available", "100Mi"), ("nodefs.available", "10%")),
        "memory.available<100Mi,nodefs.available<10%: what counts as pressure",
        read=_thresholds,
    )
    eviction_pressure_transition_period: float = flags.option(300.0, "how long a pressure stands after it was seen")
    allowed_unsafe_sysctls: tuple[str, ...] = flags.option(
        (), "kernel settings of a pod's own namespaces (net.core.*) that pods may have beside the safe ones"
    )
    node_lease_duration_seconds: int = flags.option(40, "a quarter of it lies between two heartbeats")
    container_log_max_size: str = "10Mi"
    container_log_max_files: int = 5
    max_restart_period_seconds: float = flags.option(300.0, "between two starts of a container that fails")
    image_credential_provider_config: str = flags.option(
        "", "file or directory of a CredentialProviderConfig: programs that have credentials for images"
    )
    image_credential_provider_bin_dir: str = flags.option("", "where those programs are")
    image_gc_high_threshold_percent: int = flags.option(85, flag="--image-gc-high-threshold")
    image_gc_low_threshold_percent: int = flags.option(80, flag="--image-gc-low-threshold")
    image_minimum_gc_age: float = flags.option(120.0, flag="--minimum-image-ttl-duration")
    verbosity: int = flags.option(0, flag="--v")

    @property
    def node_name(self) -> str:
        """The override, else the machine's own name in lower case."""
        return (self.hostname_override or platform.node()).lower()

    @property
    def root(self) -> Path:
        return Path(self.root_dir)


def parse(arguments: Sequence[str]) -> Options:
    """Options from the command line; `--config` names a KubeletConfiguration, over which flags win."""
    file = vars(parser().parse_args(arguments))["config"]
    base = read_configuration(Path(file)) if file else Options()
    return flags.from_namespace(Options, vars(parser(base).parse_args(arguments)), base)


def parser(base: Options | None = None) -> argparse.ArgumentParser:
    """Of the kubelet's flags, under upstream's names."""
    config = "KubeletConfiguration file; flags win over it"
    return flags.parser(Options, "p8s kubelet", "Runs the pods of one node.", base, config=config)


def read_configuration(path: Path) -> Options:
    """The known fields of a KubeletConfiguration file. Raises ValueError for another kind, and for a wrong value."""
    import yaml  # most nodes are configured by flags

    tree = yaml.safe_load(path.read_text()) or {}
    if tree.get("kind") != "KubeletConfiguration":
        raise ValueError(f"{path}: not a KubeletConfiguration")
    authentication = tree.get("authentication") or {}
    tree["clientCAFile"] = (authentication.get("x509") or {}).get("clientCAFile")
    tree["anonymousAuth"] = (authentication.get("anonymous") or {}).get("enabled")
    tree["maxRestartPeriodSeconds"] = (tree.get("crashLoopBackOff") or {}).get("maxContainerRestartPeriod")
    found = {field.name: tree.get(_in_file(field.name)) for field in fields(Options)}
    given = {name: _plain(name, value) for name, value in found.items() if value is not None}
    return msgspec.convert(given, Options, strict=False)


def _in_file(name: str) -> str:
    """A field's name in a file: `image_gc_high_threshold_percent` is `imageGCHighThresholdPercent`."""
    first, *rest = name.split("_")
    return first + "".join(word.upper() if word in ("ca", "dns", "gc") else word.capitalize() for word in rest)


def _plain(name: str, value: Any) -> Any:
    """Maps as pairs, durations as seconds."""
    if isinstance(value, dict):
        return tuple(value.items())
    is_duration = isinstance(getattr(Options, name), float) and isinstance(value, str)
    return flags.duration(value) if is_duration else value
