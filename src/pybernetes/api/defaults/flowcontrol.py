"""API priority and fairness."""

from __future__ import annotations

from pybernetes.api.defaults.table import Default, fields, set_empty
from pybernetes.api.tree import Tree


def _flow_schema_spec(spec: Tree) -> None:
    set_empty(spec, "matchingPrecedence", 1000)


def _queuing(queuing: Tree) -> None:
    set_empty(queuing, "queues", 64)
    set_empty(queuing, "handSize", 8)
    set_empty(queuing, "queueLengthLimit", 50)


DEFAULTS: dict[str, Default] = {
    "flowcontrol.v1.FlowSchemaSpec": _flow_schema_spec,
    "flowcontrol.v1.LimitedPriorityLevelConfiguration": fields(nominalConcurrencyShares=30, lendablePercent=0),
    "flowcontrol.v1.ExemptPriorityLevelConfiguration": fields(nominalConcurrencyShares=0, lendablePercent=0),
    "flowcontrol.v1.QueuingConfiguration": _queuing,
}
