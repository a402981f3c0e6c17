"""ResourceQuota: how much a namespace may hold, counted before anything is stored.

Owns: what each object uses (`usage.py`), which quotas look at it (`scopes.py`), the check and the booking (`plugin.py`).
Receives from: the write path, last of all plugins.
Sends to: the registry, the quota's new status.
Never: counts again what is there (a controller does).
"""
