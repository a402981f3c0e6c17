"""One file per verb: from a request to the store and back to bytes.

Owns: query parameters, content types and status codes of each verb.
Receives from: the chain.
Sends to: the registry (objects), table/ and negotiate.py (encodings).
Never: knows a kind.
"""
