"""Volumes of a pod as paths on the node, one file per type.

Owns: `pods/<uid>/volumes` and `volume-subpaths`, their contents, mounts and ownership.
Receives from: the pod worker (set up, refresh, tear down); objects and tokens through narrow Protocols.
Sends to: the node's file system.
Never: follows a path that a container can change, except by descriptor.
"""
