"""What upstream fills in where a client was silent: on every write, for every built-in kind.

Owns: the default of every field, by the definition that it stands in, wherever in a kind that definition occurs.
Receives from: `decode`, trees without nulls and unknown fields.
Sends to: admission and validation, the same trees, filled in.
Never: sets what depends on other objects, the clock or chance.
"""

from pybernetes.api.defaults.walk import apply_defaults, default_definition

__all__ = ["apply_defaults", "default_definition"]
