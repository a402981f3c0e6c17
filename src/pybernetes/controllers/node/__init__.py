"""Nodes: notice those that fall silent, taint them, and move their pods away; give each its range of addresses.

Owns: the Unknown conditions, the taints that follow from conditions, evictions by taint, pod ranges.
Receives from: informers of nodes, leases and pods.
Sends to: the API server, through client.
Never: talks to a node.
"""
