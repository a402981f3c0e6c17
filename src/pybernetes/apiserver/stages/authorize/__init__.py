"""Whether a user may do something: the Node and RBAC authorizers, and the reviews that ask them.

Owns: compiled rules of roles and bindings; the graph of which node needs which object.
Receives from: the chain (`Attributes`); changes of roles, bindings and pods.
Sends to: the chain, a `Decision` or 403.
Never: looks at the body of a request.
"""
