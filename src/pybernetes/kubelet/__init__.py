"""Makes the pods of one node real: one worker per pod, plan() decides (pure), a shell acts through CRI.

Owns: pod status, node status and lease, volumes, probes, the API of port 10250.
Receives from: the API server (pods of this node), the runtime (container events).
Sends to: the runtime through CRI; the API server (statuses, events).
Never: starts a process or mounts a container's root itself.
"""
