"""OpenAPI v2 (Swagger) out of the v3 form that paths are made in."""

from __future__ import annotations

from typing import Any

from pybernetes.api.tree import Tree

TEXTS = ("application/json", "application/yaml")
"""What custom resources are told in; in nothing else are they taken either."""
_V3, _V2 = "#/components/schemas/", "#/definitions/"


def as_swagger(info: Tree, paths: Tree, definitions: Tree, security: Tree) -> Tree:
    """The v2 document. References in `definitions` must be v2's already."""
    return {
        "swagger": "2.0",
        "info": info,
        "paths": {path: _path_item(item) for path, item in paths.items()},
        "parameters": {},
        "definitions": {name: _flat(one) for name, one in definitions.items()},
        "securityDefinitions": security,
        "security": [{"BearerToken": []}],
    }


def _path_item(item: Tree) -> Tree:
    made: Tree = {method: _operation(one) for method, one in item.items() if method != "parameters"}
    if "parameters" in item:
        made["parameters"] = [_parameter(one) for one in item["parameters"]]
    return made


def _parameter(parameter: Tree) -> Tree:
    schema: Tree = parameter["schema"]
    return {key: value for key, value in parameter.items() if key != "schema"} | schema


def _operation(operation: Tree) -> Tree:
    made = {key: value for key, value in operation.items() if key not in ("requestBody", "responses", "parameters")}
    parameters = [_parameter(one) for one in operation.get("parameters", [])]
    body: Tree = operation.get("requestBody") or {}
    content: Tree = operation["responses"].get("200", {}).get("content") or {}
    made["produces"] = list(content or TEXTS)
    made["schemes"] = ["https"]
    if sent := body.get("content"):
        made["consumes"] = list(sent)
        required = {"required": True} if body.get("required") else {}
        parameters.append({"name": "body", "in": "body", **required, "schema": _schema(sent)})
    elif "x-kubernetes-action" in operation and tuple(content) != TEXTS:
        made["consumes"] = ["*/*"]
    elif "$ref" in _schema(content):
        made["consumes"] = made["produces"]
    made["responses"] = {
        code: {"description": one["description"]} | ({"schema": _schema(one["content"])} if "content" in one else {})
        for code, one in operation["responses"].items()
    }
    if parameters:
        made["parameters"] = sorted(parameters, key=lambda one: (one["name"], one["in"]))
    return made


def _schema(content: Tree) -> Tree:
    schema: Tree = next(iter(content.values()))["schema"]
    return {"$ref": schema["$ref"].replace(_V3, _V2)} if "$ref" in schema else schema


def _flat(node: Any) -> Any:
    """Swagger puts words beside a reference where OpenAPI 3 needs an allOf."""
    if isinstance(node, list):
        return [_flat(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {key: _flat(value) for key, value in node.items() if key != "allOf"}
    alternatives = node.get("allOf")
    if isinstance(alternatives, list) and len(alternatives) == 1 and "$ref" in alternatives[0]:
        made["$ref"] = alternatives[0]["$ref"].replace(_V3, _V2)
    elif alternatives is not None:
        made["allOf"] = _flat(alternatives)
    return made
