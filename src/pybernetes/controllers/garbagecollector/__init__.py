"""The garbage collector: deletes what lost its owners, in the foreground, the background, or not at all.

Owns: the graph of owners and dependents, and the finalizers `foregroundDeletion` and `orphan`.
Receives from: metadata informers of every resource that discovery lists, custom ones too.
Sends to: the API server, through client.
Never: reads more of an object than its metadata.
"""
