"""Owns: which devices of a node a claim gets (dynamic resource allocation, KEP-4381).

Receives from: ResourceClaims, DeviceClasses and ResourceSlices (informers of the scheduler).
Sends to: the plugin DynamicResources, and the status of claims (`binder.py`).
Never: looks at pods or at what a node has beside its devices.
"""
