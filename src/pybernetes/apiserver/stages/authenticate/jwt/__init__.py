"""Tokens of issuers elsewhere (OpenID Connect): `--oidc-*` or `--authentication-config`.

Owns: the configuration, the issuers' keys, how claims become a user.
Receives from: the bearer authenticator, tokens of issuers that it was told of.
Sends to: the issuers, requests for their keys.
Never: takes a key or an algorithm from a token.
"""
