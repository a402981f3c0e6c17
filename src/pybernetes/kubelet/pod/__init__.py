"""The life of one pod on this node: its worker, and the acts by which the worker carries out plans.

Owns: everything between a pod's arrival and its disappearance.
Receives from: the kubelet (spec), the runtime (observations), probes.
Sends to: the runtime, volumes, the status writer.
Never: looks at another pod.
"""
