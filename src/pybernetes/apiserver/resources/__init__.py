"""What is special about a kind: one file per kind, each a `Strategy`.

Owns: preparation, validation, allocation, subresources and selectable fields of kinds.
Receives from: the generic verbs (`registry/store.py`), which know no kind.
Sends to: the store, through other kinds' stores; kubelets, for the streaming subresources.
Never: parses HTTP or encodes objects.
"""
