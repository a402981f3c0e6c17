"""Layers unpacked once, and overlay roots made of them.

Owns: layers by chain id, the writable layer and the mount of each container.
Receives from: images (layer archives), the container services.
Sends to: the kernel (overlayfs).
Never: follows a path out of the root that it works in.
"""
