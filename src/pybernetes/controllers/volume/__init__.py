"""Persistent volumes and claims: bind them to one another, and keep those in use from being deleted.

Owns: the binding of claims and volumes, their phases, and the finalizers `pvc-protection`, `pv-protection` and `vac-protection`.
Receives from: informers of claims, volumes, storage classes and pods.
Sends to: the API server, through client.
Never: makes storage; provisioners do.
"""
