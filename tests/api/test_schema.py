"""Compiled schema nodes of built-in kinds and of custom resources."""

import pytest

from pybernetes.api.schema import DEDUCED, Kind, ListType, custom_resource_schema, schema_for, schema_of

POD_SPEC = schema_for("io.k8s.api.core.v1.PodSpec")


def test_lists_and_maps_know_how_writers_share_them():
    containers = POD_SPEC.properties["containers"]
    assert (containers.kind, containers.list_type, containers.list_keys) == (Kind.LIST, ListType.MAP, ("name",))
    assert (containers.patch_merge_key, containers.patch_strategy) == ("name", {"merge"})
    assert POD_SPEC.properties["nodeSelector"].atomic
    assert POD_SPEC.properties["tolerations"].list_type is ListType.ATOMIC
    finalizers = schema_for("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta").properties["finalizers"]
    assert (finalizers.list_type, finalizers.patch_merge_key) == (ListType.SET, "")


def test_absent_list_keys_have_defaults():
    ports = schema_for("io.k8s.api.core.v1.Container").properties["ports"]
    assert ports.key_defaults == {"containerPort": 0, "protocol": "TCP"}


def test_a_field_may_add_a_strategy_to_the_definition_it_refers_to():
    strategy = schema_of("apps/v1", "Deployment").properties["spec"].properties["strategy"]
    assert strategy.patch_strategy == {"retainKeys"}
    assert strategy.definition == "io.k8s.api.apps.v1.DeploymentStrategy"
    assert not schema_for(strategy.definition).patch_strategy


@pytest.mark.parametrize(
    ("definition", "field", "kind", "format_"),
    [
        ("io.k8s.api.core.v1.ServicePort", "targetPort", Kind.INT_OR_STRING, ""),
        ("io.k8s.api.core.v1.ResourceRequirements", "limits", Kind.MAP, ""),
        ("io.k8s.api.core.v1.EmptyDirVolumeSource", "sizeLimit", Kind.QUANTITY, ""),
        ("io.k8s.api.coordination.v1.LeaseSpec", "renewTime", Kind.STRING, "micro-time"),
        ("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", "creationTimestamp", Kind.STRING, "date-time"),
        ("io.k8s.api.apps.v1.ControllerRevision", "data", Kind.ANY, ""),
    ],
)
def test_scalars_and_special_types(definition, field, kind, format_):
    node = schema_for(definition).properties[field]
    assert (node.kind, node.format) == (kind, format_)


def test_zeros_are_what_answers_hold_for_absent_fields():
    assert schema_of("apps/v1", "Deployment").zeros == {"metadata": {}, "spec": {}, "status": {}}
    assert schema_for("io.k8s.api.core.v1.Container").zeros == {"name": "", "resources": {}}


def test_definitions_may_be_cyclic():
    props = schema_for("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps")
    assert props.properties["not"].properties["not"] is props


def test_unknown_names():
    with pytest.raises(KeyError):
        schema_for("io.k8s.api.core.v1.Nosuch")
    with pytest.raises(KeyError):
        schema_of("v1", "Nosuch")


def test_a_custom_resource_compiles_to_the_same_nodes():
    schema = custom_resource_schema(
        {
            "properties": {
                "spec": {
                    "type": "object",
                    "properties": {
                        "port": {"x-kubernetes-int-or-string": True},
                        "items": {
                            "type": "array",
                            "items": {"type": "object", "properties": {"k": {"type": "string", "default": "d"}}},
                            "x-kubernetes-list-type": "map",
                            "x-kubernetes-list-map-keys": ["k"],
                        },
                        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                        "pod": {"type": "object", "x-kubernetes-embedded-resource": True},
                        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                    },
                }
            }
        }
    )
    assert schema.properties["metadata"] is schema_for("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")
    spec = schema.properties["spec"]
    assert spec.properties["port"].kind is Kind.INT_OR_STRING
    assert spec.properties["items"].key_defaults == {"k": "d"}
    assert spec.properties["free"].child("anything") is DEDUCED
    assert "metadata" in spec.properties["pod"].properties
    assert spec.properties["labels"].child("x").kind is Kind.STRING
    assert spec.child("nosuch") is None
