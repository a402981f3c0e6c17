"""The attach/detach controller: a volume of a CSI driver is attached to the nodes whose pods use it, and to no other.

Owns: the VolumeAttachments that are named after volume and node; `status.volumesAttached` of nodes.
Receives from: pods that have a node, claims, volumes, CSIDrivers; `status.volumesInUse`, which kubelets write.
Sends to: the drivers' external attachers, by VolumeAttachments; pods, by events.
Never: runs before there is a volume of a CSI driver.
"""
