"""`application/vnd.kubernetes.protobuf`: JSON trees of built-in kinds to bytes and back.

Owns: the messages of `facts/protobuf-fields`, the envelope, the frames of a watch.
Receives from: the API server and the client: normalised trees, or bytes off the wire.
Sends to: nobody; raises `ProtobufError` for bytes that are no object.
Never: defaults or validates; custom resources have no messages.
"""

from pybernetes.api.protobuf.envelope import (
    CONTENT_TYPE,
    EventReader,
    MessageError,
    NoMessageError,
    decode_object,
    encode_event,
    encode_object,
    has_message,
)
from pybernetes.wire.protobuf import ProtobufError

__all__ = [
    "CONTENT_TYPE",
    "EventReader",
    "MessageError",
    "NoMessageError",
    "ProtobufError",
    "decode_object",
    "encode_event",
    "encode_object",
    "has_message",
]
