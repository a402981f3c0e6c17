"""APIs that other servers serve (APIService with a service), behind this one.

Owns: the way to these servers, what they are told about the user, what they say they serve.
Receives from: requests that the chain has let through; APIServices and endpoints from the server's caches.
Sends to: the other servers (HTTPS, as the front proxy); discovery learns what they serve.
Never: passes on a client's credentials; answers in their place.
"""
