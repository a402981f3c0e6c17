"""The cluster's own registry: the OCI distribution API (spec 1.1) over the machine's content store.

Owns: repositories, their manifests and tags, uploads under way.
Receives from: docker, skopeo, pods, the runtime, over plain HTTP on loopback and on the node's address.
Sends to: the runtime (each tagged image that is pushed becomes an image of the cluster).
Never: runs while nobody uses it; copies what the content store has: both name the same files.
"""
