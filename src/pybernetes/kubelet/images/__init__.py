"""Images for containers: names, pull policy, credentials, back-off, events; and their removal when disk runs out.

Owns: what is pulled when, and the words about it.
Receives from: the pod worker.
Sends to: the image service.
Never: talks to a registry itself.
"""
