"""Encryption at rest (`--encryption-provider-config`): values as the store holds them, in upstream's formats.

Owns: the configuration, the providers, keys' turns.
Receives from: the registry and the cacher, plain values.
Sends to: the store backend, encrypted ones.
Never: shows a key, in logs or errors.
"""
