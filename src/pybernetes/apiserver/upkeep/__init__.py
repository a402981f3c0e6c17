"""What the server itself keeps true of a few kinds while it runs: conditions, and the objects that say what is served.

Owns: APIService objects of what is served here, conditions of APIServices and FlowSchemas, that of the service range.
Receives from: the registry, whose changes it hears.
Sends to: the registry, as any client would.
Never: anything that a controller of the manager does.
"""
