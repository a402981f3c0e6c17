"""Admission that users configure: policies in CEL, and webhooks.

Owns: matching of requests, evaluation of policies, calls to webhooks.
Receives from: the write path, which asks all plugins; policies, bindings and configurations from the server's caches.
Sends to: webhooks (HTTPS); refusals, warnings and audit annotations to the request.
Never: stores objects; asks itself about its own configuration (a broken policy can always be removed).
"""
