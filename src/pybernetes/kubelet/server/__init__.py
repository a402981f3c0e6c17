"""The kubelet's server on port 10250: logs, exec, attach, port-forward, pods, metrics, health.

Owns: who may ask what, and the routes.
Receives from: the API server, scrapers.
Sends to: pod workers (read only), the runtime (streams).
Never: reads the bytes of a stream that it passes on.
"""
