"""Pod networks: the node's bridge, addresses, links into sandboxes, host ports.

Owns: the bridge and what hangs on it, the address records, the nftables table `<bridge>`.
Receives from: service; cluster start (bridge.ensure_bridge).
Sends to: the kernel, over netlink.
Never: starts a program, or lets a packet to a pod or service address leave by another link.
"""
