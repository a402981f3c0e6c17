"""A pod's status, made of its spec, of what the runtime has, and of what the worker remembers; then written.

Owns: container statuses, phase, conditions, the writer that patches them.
Receives from: the pod worker.
Sends to: the API server.
Never: decides what a pod does next.
"""
