"""Eviction: pods that use more of the disk than they may, and pods that go when the node itself runs out.

Owns: the decision which pod is ended, and why.
Receives from: the kubelet's housekeeping; usage from the runtime and the disk.
Sends to: the pods' workers (a verdict), events.
Never: ends static or critical pods.
"""
