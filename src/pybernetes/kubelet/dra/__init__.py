"""Dynamic resource allocation on the node (KEP-4381): devices of claims are prepared before a pod starts, and given up after it.

Owns: which claims are prepared, which drivers are there; `<root>/dra_claims.json`.
Receives from: pod workers; drivers that register.
Sends to: drivers (gRPC), CDI names of devices to the runtime; ResourceSlices of drivers that are gone are deleted.
Never: decides which devices a claim gets (the scheduler's).
"""
