"""Requests from outside to services: table.py and decide.py (pure) say where each one goes, server/ takes it there.

Owns: ports 80 and 443 of the cluster, the class `pybernetes`, status and events of its Ingresses.
Receives from: informers of Ingresses, their classes, services, EndpointSlices and the secrets that are named.
Sends to: pods, straight, not by way of the service's address.
Never: keeps a body in memory, or reads a secret that no Ingress names.
"""
