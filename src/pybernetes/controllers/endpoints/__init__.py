"""Endpoints and EndpointSlices: which pods stand behind a Service, on which ports, and can they take traffic.

Owns: the EndpointSlices and Endpoints of Services with a selector, and the mirrored slices of hand-made Endpoints.
Receives from: informers of Services, pods, nodes, EndpointSlices and Endpoints.
Sends to: the API server, through client.
Never: decides how traffic gets there.
"""
