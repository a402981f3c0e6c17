"""The only door to the API server: REST, watch, informer, work queue, event recorder, leader election.

Owns: connections, retries, caches of objects as typed, immutable values.
Receives from: the API server over HTTP.
Sends to: controllers, scheduler, kubelet, proxy, dns, cli.
Never: knows the store, or changes an object of a cache.
"""
