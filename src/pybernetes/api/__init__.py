"""The vocabulary: typed objects, scheme, schema, defaults, validation, patches, quantities, selectors, status errors.

Owns: what a Kubernetes object is and which changes to it are legal.
Receives from: nobody; plain values in, plain values out.
Sends to: every layer above.
Never: does I/O, reads the clock or draws random numbers.
"""
