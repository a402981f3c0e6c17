"""Names of services and pods (Kubernetes DNS specification 1.1): records.py (pure) and a server.

Owns: the zone cluster.local; forwards the rest.
Receives from: informers of services and EndpointSlices; UDP and TCP queries.
Sends to: the host's resolvers, for other zones.
Never: answers for a zone that is not its own.
"""
