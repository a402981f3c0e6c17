"""Nodes without machines: Node objects, and pods that go through configurable stages in a table.

Owns: the heartbeats and statuses of simulated nodes, the course of each of their pods, and one server that answers
for all their kubelets (logs, exec, attach, port-forward, metrics).
Receives from: the API server (nodes, pods, requests to kubelets).
Sends to: the API server (statuses, leases, events, deletions of what has ended).
Never: starts a process, sends a packet to a pod, or touches a node that does not carry the simulator's label.
"""
