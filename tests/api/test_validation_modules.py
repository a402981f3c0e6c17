"""Which module has the rules of a kind is known without loading it."""

from importlib import import_module
from pkgutil import walk_packages

from pybernetes.api import validation
from pybernetes.api.validation.entry import _MODULES


def test_each_module_has_the_rules_that_it_is_loaded_for() -> None:
    found = {}
    for one in walk_packages(validation.__path__, f"{validation.__name__}."):
        rules = getattr(import_module(one.name), "RULES", None)
        if rules is not None:
            named = {f"{plural}.{group}" if group else plural for group, plural in rules}
            found[one.name.removeprefix(f"{validation.__name__}.")] = named
    assert {module: set(resources.split()) for module, resources in _MODULES.items()} == found
