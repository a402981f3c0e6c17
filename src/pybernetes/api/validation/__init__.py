"""Which objects, and which changes to them, are legal: upstream's rules and words for every built-in kind.

Owns: the rules on values that have the right types; what a change may not touch.
Receives from: `decode` and `defaults`, trees that are complete, on their way into the store.
Sends to: the API server, lists of field errors; an empty one means legal.
Never: looks at other objects, the clock or the caller.
"""

from pybernetes.api.validation.entry import validate

__all__ = ["validate"]
