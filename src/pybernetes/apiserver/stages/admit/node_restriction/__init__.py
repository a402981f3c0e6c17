"""NodeRestriction: what a kubelet may write, beyond what its role says.

Owns: the checks, one file for each family of objects.
Receives from: the plugins' chain; pods, nodes, volumes and drivers from the server's caches.
Sends to: refusals.
Never: anything about users that are no nodes.
"""
