"""What type checks of policies tell, in upstream's words."""

from typing import Any

from pybernetes.api.cel.type_check import CheckedKind, resolved, warnings
from pybernetes.api.schema import schema_for, schema_of


def checked(api_version: str, kind: str) -> CheckedKind:
    source = {"$ref": schema_of(api_version, kind).definition}
    return CheckedKind(api_version, kind, resolved(source, lambda name: schema_for(name).source))


def told(*expressions: str, params: CheckedKind | None = None, **spec: Any) -> dict[str, str]:
    validations = [{"expression": one} for one in expressions]
    kinds = [checked("apps/v1", "Deployment"), checked("v1", "Pod")]
    found = warnings({"validations": validations, **spec}, kinds, params)
    return {each["fieldRef"]: each["warning"] for each in found}


def test_an_unknown_field_is_told_for_each_kind() -> None:
    assert told("object.nosuch > 1 && object.metadata.name != ''", "object.spec.replicas > 1") == {
        "spec.validations[0].expression": (
            "apps/v1, Kind=Deployment: ERROR: <input>:1:7: undefined field 'nosuch'\n"
            " | object.nosuch > 1 && object.metadata.name != ''\n | ......^\n\n"
            "/v1, Kind=Pod: ERROR: <input>:1:7: undefined field 'nosuch'\n"
            " | object.nosuch > 1 && object.metadata.name != ''\n | ......^\n"
        ),
        "spec.validations[1].expression": (
            "/v1, Kind=Pod: ERROR: <input>:1:12: undefined field 'replicas'\n"
            " | object.spec.replicas > 1\n | ...........^\n"
        ),
    }


def test_variables_and_parameters_have_types() -> None:
    schema = {"type": "object", "properties": {"limit": {"type": "integer"}}}
    params = CheckedKind("x.test/v1", "Limit", schema)
    variables = [{"name": "labels", "expression": "object.metadata.labels"}]
    fine = "variables.labels['a'] == 'b' && params.limit > 1 && params.metadata.name != ''"
    assert told(fine, params=params, variables=variables) == {}
    found = told("variables.labels > 1", "params.limits > 1", params=params, variables=variables)
    assert (
        "found no matching overload for '_>_' applied to '(map(string, string), int)'"
        in (found["spec.validations[0].expression"])
    )
    assert "undefined field 'limits'" in found["spec.validations[1].expression"]
    assert "undeclared reference to 'params'" in told("params.limit > 1")["spec.validations[0].expression"]


def test_kinds_that_contain_themselves_and_quantities() -> None:
    source = {"$ref": schema_of("apiextensions.k8s.io/v1", "CustomResourceDefinition").definition}
    assert resolved(source, lambda name: schema_for(name).source)["type"] == "object"
    fine = "object.metadata.name != '' && (!has(object.spec.template) || object.spec.template.spec.containers.all(c, c.image != ''))"
    assert list(told(fine)) == ["spec.validations[0].expression"]
    only = [checked("v1", "Pod")]
    fine = "object.spec.containers.all(c, c.ports.all(p, p.containerPort > 1))"
    assert list(warnings({"validations": [{"expression": fine}]}, only, None)) == []
    # Upstream's schema of a Quantity says no type, so that no expression is thought to find one.
    amount = "object.spec.containers.all(c, c.resources.limits['cpu'] != '')"
    (found,) = warnings({"validations": [{"expression": amount}]}, only, None)
    assert "undefined field 'limits'" in found["warning"]


def test_values_of_any_form_are_objects_without_fields() -> None:
    only = [checked("apps/v1", "ControllerRevision")]
    spec = {"validations": [{"expression": "object.data.replicas == 1"}, {"expression": "object.data != null"}]}
    (found,) = warnings(spec, only, None)
    assert "undefined field 'replicas'" in found["warning"]
