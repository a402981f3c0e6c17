"""Webhooks and admission policies."""

from __future__ import annotations

from pybernetes.api.defaults.table import Default, fields

_WEBHOOK = {
    "failurePolicy": "Fail", "matchPolicy": "Equivalent", "namespaceSelector": dict, "objectSelector": dict,
    "timeoutSeconds": 10,
}  # fmt: skip

DEFAULTS: dict[str, Default] = {
    "admissionregistration.v1.ValidatingWebhook": fields(**_WEBHOOK),
    "admissionregistration.v1.MutatingWebhook": fields(**_WEBHOOK, reinvocationPolicy="Never"),
    "admissionregistration.v1.RuleWithOperations": fields(scope="*"),
    "admissionregistration.v1.NamedRuleWithOperations": fields(scope="*"),
    "admissionregistration.v1.ServiceReference": fields(port=443),
    "admissionregistration.v1.ValidatingAdmissionPolicySpec": fields(failurePolicy="Fail"),
    "admissionregistration.v1.MutatingAdmissionPolicySpec": fields(failurePolicy="Fail"),
    "admissionregistration.v1.MatchResources": fields(
        matchPolicy="Equivalent", namespaceSelector=dict, objectSelector=dict
    ),
}
