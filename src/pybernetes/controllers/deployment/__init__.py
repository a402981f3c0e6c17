"""Deployments: replace pods of an old template by pods of a new one, at the pace that the strategy allows.

Owns: the ReplicaSets of a Deployment, their sizes and revisions, and the Deployment's status.
Receives from: informers of Deployments, ReplicaSets and pods.
Sends to: the API server, through client.
Never: touches pods.
"""
