"""The Kubernetes API over HTTP: chain.py lists the stages of a request in order.

Owns: authentication, authorization, admission, the generic verbs, the watch cache, discovery.
Receives from: clients over HTTPS; the store (events).
Sends to: the store; kubelets (logs, exec, port-forward, proxy).
Never: runs a control loop, or speaks to a container runtime.
"""
