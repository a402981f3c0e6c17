"""Quotas: what an object uses, and which quotas look at it; for admission, and for the controller that counts anew.

Owns: the names that quotas limit, the sums over a pod's containers, scopes.
Receives from: trees of objects and quotas.
Sends to: apiserver, controllers.
Never: decides whether there is enough.
"""
