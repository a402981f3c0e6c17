"""Volumes of CSI drivers on this node: registered drivers, and the life of a volume from attached to gone.

Owns: `plugins/kubernetes.io/csi`, the pods' `kubernetes.io~csi` directories, this node's CSINode.
Receives from: pods' volumes, drivers that register (`kubelet.plugins`).
Sends to: drivers, by CSI's node service; `status.volumesInUse`, by the node's reporter.
Never: trusts its memory alone: what is published and staged can be told from `vol_data.json` after a restart.
"""
