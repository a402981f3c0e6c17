"""Who asks: one small authenticator per kind of credential, tried in order.

Owns: users and groups, client certificates, tokens and their signing keys.
Receives from: the chain (headers, the peer's certificate); objects that tokens are bound to.
Sends to: the chain, a `User` or 401.
Never: decides what a user may do.
"""
