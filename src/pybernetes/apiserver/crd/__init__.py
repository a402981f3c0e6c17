"""Custom resources: definitions become resources that are served as built-in ones are.

Owns: the status of definitions, the shape of custom objects (pruning, defaults, value validation), their columns.
Receives from: the watch cache of customresourcedefinitions.
Sends to: the registry (resources come and go), discovery and OpenAPI (which follow it).
Never: adds a path of its own: custom objects take the generic store's.
"""
