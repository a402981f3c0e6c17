"""Version, Status and UpdateRuntimeConfig: the runtime as a whole."""

from ipaddress import IPv4Network

from msgspec.structs import replace

import pybernetes
from pybernetes.cri import types as t
from pybernetes.runtime.network.addresses import Addresses
from pybernetes.runtime.network.bridge import BridgeConfig, ensure_bridge
from pybernetes.runtime.network.pods import PodNetwork
from pybernetes.runtime.service.core import Core
from pybernetes.runtime.service.handlers import available
from pybernetes.runtime.service.users import are_supported

_NAME, _API = "pybernetes", "v1"


def version() -> t.VersionResponse:
    return t.VersionResponse(
        version="0.1.0", runtime_name=_NAME, runtime_version=pybernetes.__version__, runtime_api_version=_API
    )


async def status(core: Core) -> t.StatusResponse:
    """Ready always; the network is when a pod range is known."""
    network = t.RuntimeCondition(type="NetworkReady", status=True)
    if core.network is None:
        network = t.RuntimeCondition(
            type="NetworkReady", status=False, reason="NetworkPluginNotReady", message="no pod range has been set"
        )
    handlers = [await _handler(core, name) for name in available()]
    return t.StatusResponse(
        status=t.RuntimeStatus(conditions=[t.RuntimeCondition(type="RuntimeReady", status=True), network]),
        runtime_handlers=handlers,
        features=t.RuntimeFeatures(supplemental_groups_policy=True),
    )


async def _handler(core: Core, name: str) -> t.RuntimeHandler:
    features = t.RuntimeHandlerFeatures(
        recursive_read_only_mounts=True, user_namespaces=await are_supported(core, name)
    )
    return t.RuntimeHandler(name=name, features=features)


def set_network(core: Core, config: BridgeConfig) -> None:
    """Make the bridge and give pods addresses of its range. Blocks."""
    ensure_bridge(config)
    addresses = Addresses(core.options.root / "network" / "addresses", config.node_range)
    before, core.network = core.network, PodNetwork(config, addresses, core.options.mtu)
    if before is not None:
        core.network.take_over(before)


async def update_runtime_config(core: Core, config: t.RuntimeConfig) -> None:
    """Take the node's pod range, unless one was given at the start. Pods that exist keep their addresses."""
    range_ = config.network_config.pod_cidr if config.network_config else ""
    bridge = core.options.bridge
    if not range_ or bridge is None:
        return
    wanted = replace(bridge, node_range=IPv4Network(range_.partition(",")[0]))
    if core.network is None or wanted.node_range != core.network.range:
        await core.links.run(set_network, core, wanted)
