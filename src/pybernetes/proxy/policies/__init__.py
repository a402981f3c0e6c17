"""NetworkPolicies: which connections of this node's pods are allowed (networking.k8s.io/v1).

Owns: whom policies select and let through (pure), and the loop that keeps the backend current.
Receives from: the proxy; informers of policies, and of pods and namespaces while there are policies.
Sends to: a backend (backends/nftables/policies.py), as pieces of its table.
Never: asks for pods, or has a table, while the cluster has no policy.
"""
