"""OpenAPI v2 (Swagger) out of the v3 form that paths are made in."""

from __future__ import annotations

from typing import Any

from pybernetes.apiserver.context import Tree

_V3, _V2 = "#/components/schemas/", "#/definitions/"


def as_swagger(info: Tree, paths: Tree, definitions: Tree, security: Tree) -> Tree:
    """The v2 document. References in `definitions` must be v2's already."""
    return {
        "swagger": "2.0",
        "info": info,
        "paths": {path: {method: _operation(one) for method, one in item.items()} for path, item in paths.items()},
        "parameters": {},
        "definitions": {name: _flat(one) for name, one in definitions.items()},
        "securityDefinitions": security,
        "security": [{"BearerToken": []}],
    }


def _operation(operation: Tree) -> Tree:
    made = {key: value for key, value in operation.items() if key not in ("requestBody", "responses", "parameters")}
    parameters: list[Tree] = [
        {"name": one["name"], "in": one["in"], "type": one["schema"]["type"], "uniqueItems": True}
        for one in operation.get("parameters", [])
    ]
    content = (operation.get("requestBody") or {}).get("content")
    if content:
        made["consumes"] = list(content)
        parameters.append({"name": "body", "in": "body", "required": True, "schema": _schema(content)})
    made["produces"] = ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"]
    made["responses"] = {
        code: {"description": one["description"]} | ({"schema": _schema(one["content"])} if "content" in one else {})
        for code, one in operation["responses"].items()
    }
    if parameters:
        made["parameters"] = parameters
    return made


def _schema(content: Tree) -> Tree:
    schema = next(iter(content.values()))["schema"]
    return {"$ref": schema["$ref"].replace(_V3, _V2)}


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
