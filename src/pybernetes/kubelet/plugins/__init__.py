"""The kubelet's side of plugins: CSI drivers, device plugins, drivers of devices (DRA).

Owns: the sockets below `<root>/plugins_registry`, who is registered; gRPC to plugins. Nothing of it loads before the
first socket is there.
Receives from: plugins, as pods or processes of the node.
Sends to: handlers by type of plugin.
Never: calls a plugin that is not registered.
"""
