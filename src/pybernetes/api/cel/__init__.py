"""The Common Expression Language as Kubernetes uses it: rules of custom resources, admission policies, match conditions.

Owns: parsing, type checking, cost estimation and evaluation of expressions, with Kubernetes' function libraries.
Receives from: `apiserver` (rules, policies) and `api/validation` (definitions): texts, declared types, JSON values.
Sends to: nobody; values and errors are returned. Words of errors are cel-go's, since clients show them to people.
Never: I/O, clocks, or evaluation without a bound on its cost.
"""
