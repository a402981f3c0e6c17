"""Service-account tokens: JWTs signed by this cluster, bound to objects that must still exist.

Owns: signing keys and their public set, the claims of a token, the check of a presented token.
Receives from: TokenRequest; the bearer authenticator; look-ups of live objects.
Sends to: clients, signed tokens; the chain, the user of a valid token.
Never: keeps a token that it issued.
"""
