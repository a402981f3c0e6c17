"""What every fresh cluster has: system namespaces, bootstrap roles, priority classes, the `kubernetes` service.

Owns: the recorded facts, and bringing the store in line with them at each start.
Receives from: `main` at start.
Sends to: the registry, as any client would.
Never: takes away what an administrator added.
"""
