"""The generic path that every kind is read and written through.

Owns: metadata, deletion, preconditions, retries, the order of hooks and admission.
Receives from: handlers, and parts of the server itself (`Registry`).
Sends to: the store backend (writes), cacher/ (reads).
Never: parses HTTP.
"""
