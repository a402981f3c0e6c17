"""A container runtime behind CRI: images, snapshots, sandboxes, containers as OCI bundles, monitors.

Owns: containers, their logs and exit codes, images and layers, pod networks.
Receives from: kubelet, through CRI.
Sends to: the kernel, registries.
Never: knows a Kubernetes object, or resolves a path inside a container's root by name alone.
"""
