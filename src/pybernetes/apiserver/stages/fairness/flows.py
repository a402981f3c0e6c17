"""FlowSchemas, compiled: which requests are of one flow (`flowcontrol.apiserver.k8s.io/v1`)."""

from __future__ import annotations

from pybernetes.api.tree import Tree
from pybernetes.apiserver.request_info import RequestInfo
from pybernetes.apiserver.stages.authenticate.user import split_service_account
from pybernetes.apiserver.user import UserInfo

LEVEL_HEADER, FLOW_HEADER = "x-kubernetes-pf-prioritylevel-uid", "x-kubernetes-pf-flowschema-uid"


class Schema:
    """One FlowSchema's rules; `precedence` and then the name order them."""

    def __init__(self, obj: Tree) -> None:
        metadata, spec = obj["metadata"], obj["spec"]
        self.name: str = metadata["name"]
        self.uid: str = metadata.get("uid", "")
        self.precedence: int = spec.get("matchingPrecedence", 1000)
        self.level: str = spec["priorityLevelConfiguration"].get("name", "")
        self.distinguisher: str = (spec.get("distinguisherMethod") or {}).get("type", "")
        self._rules: list[Tree] = spec.get("rules") or []

    def matches(self, user: UserInfo, info: RequestInfo) -> bool:
        return any(
            any(_is_subject(one, user) for one in rule.get("subjects") or ())
            and (
                any(_takes_resource(one, info) for one in rule.get("resourceRules") or ())
                if info.is_resource_request
                else any(_takes_path(one, info) for one in rule.get("nonResourceRules") or ())
            )
            for rule in self._rules
        )


def _is_subject(subject: Tree, user: UserInfo) -> bool:
    match subject.get("kind"):
        case "User":
            return subject["user"]["name"] in ("*", user.name)
        case "Group":
            name = subject["group"]["name"]
            return name == "*" or name in user.groups
        case "ServiceAccount":
            account = subject["serviceAccount"]
            found = split_service_account(user.name)
            return found is not None and found[0] == account["namespace"] and account["name"] in ("*", found[1])
    return False


def _takes_resource(rule: Tree, info: RequestInfo) -> bool:
    full = f"{info.resource}/{info.subresource}" if info.subresource else info.resource
    if not (
        _has(rule["verbs"], info.verb) and _has(rule["apiGroups"], info.api_group) and _has(rule["resources"], full)
    ):
        return False
    if info.namespace:
        return _has(rule.get("namespaces") or (), info.namespace)
    return bool(rule.get("clusterScope"))


def _takes_path(rule: Tree, info: RequestInfo) -> bool:
    return _has(rule["verbs"], info.verb) and any(
        pattern in ("*", info.path) or (pattern.endswith("*") and info.path.startswith(pattern[:-1]))
        for pattern in rule["nonResourceURLs"]
    )


def _has(wanted: list[str] | tuple[str, ...], value: str) -> bool:
    return value in wanted or "*" in wanted
