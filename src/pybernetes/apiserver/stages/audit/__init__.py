"""The audit log: who did what, when, and how it was answered (`audit.k8s.io/v1`).

Owns: the policy that says what is written, events, the log file, batches for a webhook.
Receives from: the chain, each request at its begin and its end.
Sends to: a file of JSON lines, a webhook.
Never: lets a failing log fail a request.
"""
