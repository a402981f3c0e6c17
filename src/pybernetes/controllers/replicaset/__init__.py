"""ReplicaSets: keep so many pods of a template running.

Owns: the pods of a ReplicaSet and its status.
Receives from: informers of ReplicaSets and pods.
Sends to: the API server, through client.
Never: knows who made the ReplicaSet.
"""
