"""Why an object is not as it should be: from what is asked about down to the root cause and the next step.

Owns: the rules, one file per kind or cause, all pure over a snapshot; reading that snapshot.
Receives from: the API server (client), image registries (tags), connections to endpoints (who listens).
Sends to: cli, and whoever else shows causes.
Never: changes anything, or prints.
"""
