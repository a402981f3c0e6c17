"""OpenAPI v2 and v3 documents, made of the schema facts.

Owns: the documents, their ETags and their caching.
Receives from: api.schema, the served resources.
Sends to: clients (`kubectl explain`, client-side validation).
Never: validates objects.
"""
