"""DaemonSets: one pod on each node that fits.

Owns: the pods and revisions of a DaemonSet, and its status.
Receives from: informers of DaemonSets, nodes, pods and ControllerRevisions.
Sends to: the API server, through client.
Never: binds a pod to its node; the scheduler does, following the pod's affinity.
"""
