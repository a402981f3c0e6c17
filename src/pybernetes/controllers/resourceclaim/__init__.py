"""Owns: ResourceClaims made of templates, and reservations of claims by pods that will not run any more.

Receives from: pods, claims and templates (informers).
Sends to: claims, and the status of pods (API).
Never: decides which devices a claim gets; that is the scheduler's.
"""
