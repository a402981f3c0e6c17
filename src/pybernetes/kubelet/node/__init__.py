"""This machine as a Node object: facts, conditions, registration, lease.

Owns: the Node's status and its Lease.
Receives from: the machine, the runtime.
Sends to: the API server.
Never: decides what runs on the node.
"""
