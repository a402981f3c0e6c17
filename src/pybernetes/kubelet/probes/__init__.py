"""Probes and lifecycle hooks: exec, HTTP, TCP and gRPC actions against a container.

Owns: the actions, their outcomes in upstream's words, and the workers that repeat them.
Receives from: the pod worker (containers to probe).
Sends to: the containers; the pod worker (verdicts).
Never: restarts a container itself.
"""
