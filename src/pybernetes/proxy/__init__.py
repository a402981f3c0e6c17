"""Services to packet rules: table.py (pure) says what must hold, backends/ make it so.

Owns: ClusterIP, NodePort, LoadBalancer and session affinity on one node.
Receives from: informers of services and EndpointSlices.
Sends to: nftables over netlink.
Never: sees a packet of an established connection.
"""
