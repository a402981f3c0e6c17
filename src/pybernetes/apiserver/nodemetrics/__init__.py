"""`metrics.k8s.io`: what nodes and pods use now, without anything to install.

Owns: the last samples of each kubelet's counters, the rates between them, NodeMetrics and PodMetrics.
Receives from: the dispatcher; kubelets, at /metrics/resource.
Sends to: clients, through the encoders of all other kinds.
Never: asks a kubelet while nobody asks for metrics.
"""
