"""HTTP/1.1 as a client: connections that are kept for the next request, answers read whole or in parts as they come.

Owns: the framing, the reuse and the end of connections.
Receives from: whoever asks (`client.py`): an origin, a target, headers, a body.
Sends to: the server; what goes wrong is an `HTTPError` (`errors.py`).
Never: follows a redirect, decompresses, or copies what it need not. Every component talks to the API server all the
time, so that this is small on purpose: it loads in two milliseconds (aiohttp takes 0.2 s and 16 MB of every process).
"""
