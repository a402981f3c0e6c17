"""A revisioned key-value store with etcd's semantics: backend.py is the contract, testsuite.py its proof.

Owns: revisions, the log, watches over bytes, compaction.
Receives from: apiserver (keys and encoded values).
Sends to: apiserver (events in revision order).
Never: looks into a value, or knows a Kubernetes kind.
"""
