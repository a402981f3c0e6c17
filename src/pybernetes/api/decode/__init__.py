"""What upstream's decoder makes of a JSON tree of a built-in kind, so that stored objects look as upstream's do.

Owns: types of fields, unknown and duplicate fields (what stands twice is merged), canonical scalars, which empty fields are kept; Go's words for errors.
Receives from: the API server's handlers, JSON trees as clients sent or patched them.
Sends to: defaults, validation and the store, trees that share no container with what came in.
Never: sets a default or judges a value that has the right type.
"""

from pybernetes.api.decode.base64 import illegal_base64
from pybernetes.api.decode.duplicates import duplicate_fields, in_text_order
from pybernetes.api.decode.emptied import emptied
from pybernetes.api.decode.errors import DecodeError, field_warnings, json_type
from pybernetes.api.decode.merged import merged
from pybernetes.api.decode.restored import restored
from pybernetes.api.decode.tree import Decoded, decode, zero_value

__all__ = [
    "DecodeError",
    "Decoded",
    "decode",
    "duplicate_fields",
    "emptied",
    "field_warnings",
    "illegal_base64",
    "in_text_order",
    "json_type",
    "merged",
    "restored",
    "zero_value",
]
