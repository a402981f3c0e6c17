"""A client of the OCI distribution API.

Owns: hosts and mirrors, authentication, transfers with resume, the words of registry errors.
Receives from: pull and push.
Sends to: registries over HTTP/1.1.
Never: sends a credential to a host that it was not meant for.
"""
