"""What is changed or refused on the way to the store: the built-in admission plugins, one file each.

Owns: the plugins, their order (`plugins.py`) and which of them are on.
Receives from: the generic write path, each write as `admission.Attributes`.
Sends to: the write path, the changed object or a refusal; ResourceQuota writes what is used.
Never: validates what a kind itself demands (that is its Strategy's part).
"""
