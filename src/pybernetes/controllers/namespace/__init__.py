"""Namespaces: empty those that are being deleted, then let them go.

Owns: the content of terminating namespaces, their conditions and their finalizer.
Receives from: informers of namespaces and pods; discovery.
Sends to: the API server, through client.
Never: touches a namespace that is not being deleted.
"""
