"""ResourceQuota: how much a namespace may hold, counted before anything is stored.

Owns: the check and the booking (`plugin.py`); what each object uses is `api.quota`'s.
Receives from: the write path, last of all plugins.
Sends to: the registry, the quota's new status.
Never: counts again what is there (a controller does).
"""
