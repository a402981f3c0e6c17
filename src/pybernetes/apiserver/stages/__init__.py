"""The stages of the chain: who asks, whether they may, and what is written down about it.

Owns: authentication, impersonation, audit, limits, authorization, admission plugins.
Receives from: chain.py, which lists them in order.
Sends to: the next stage.
Never: reads or writes objects but through the registry.
"""
