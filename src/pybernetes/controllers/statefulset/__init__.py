"""StatefulSets: pods with names, addresses and volumes of their own, made and replaced in order.

Owns: the pods, claims and revisions of a StatefulSet, and its status.
Receives from: informers of StatefulSets, pods, claims and ControllerRevisions.
Sends to: the API server, through client.
Never: deletes a claim that a user may want back.
"""
