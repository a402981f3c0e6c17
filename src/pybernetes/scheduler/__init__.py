"""Finds a node for each pod: queue, snapshot, cycle (pure), bind; plugins/ filter and score.

Owns: spec.nodeName of unbound pods and the PodScheduled condition.
Receives from: informers of pods and nodes.
Sends to: the API server: bindings, conditions, events.
Never: talks to a node.
"""
