"""Service accounts: all that they hold are references."""

from __future__ import annotations

from pybernetes.api.validation.kinds import Rules, RulesTable

RULES: RulesTable = {("", "serviceaccounts"): Rules(whole_looks=1)}
