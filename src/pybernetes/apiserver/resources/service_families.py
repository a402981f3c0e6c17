"""The address families of a service: what it says, else what the cluster has (KEP-563)."""

import ipaddress
from collections.abc import Sequence

from pybernetes.api import errors, field
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.service import validate_addresses
from pybernetes.apiserver.resources.service_types import is_headless, needs_address

SPEC = Path("spec")
BOTH = ("IPv4", "IPv6")


def set_families(service: Tree, cluster: Sequence[str], old: Tree | None = None) -> None:
    """Fill in ipFamilyPolicy and ipFamilies. Raises StatusError for what is wrong, or the cluster does not have."""
    spec = service["spec"]
    if not needs_address(spec):
        return
    if wrong := list(validate_addresses(spec)):
        raise _refused(service, wrong)
    families = list(spec.get("ipFamilies") or ())
    # Whoever fills in the endpoints of such a service knows what they are: it may have what the cluster has not.
    any_family = is_headless(spec) and not spec.get("selector")
    policy = spec.get("ipFamilyPolicy")
    if not policy:
        policy = "RequireDualStack" if any_family else "SingleStack"
    elif old is not None:
        families = _changed(service, policy, families, old["spec"])
    wrong = _surplus(spec, families) if policy == "SingleStack" else []
    wrong += _infer(spec, families, cluster)
    if wrong:
        raise _refused(service, wrong)
    if not any_family:
        _check_configured(service, policy, families, cluster)
    families = families or [cluster[0]]
    if policy in ("PreferDualStack", "RequireDualStack") and len(families) == 1:
        families += [family for family in (BOTH if any_family else cluster) if family not in families]
    spec["ipFamilyPolicy"], spec["ipFamilies"] = policy, families


def _changed(service: Tree, policy: str, families: list[str], old: Tree) -> list[str]:
    """The second family and address are given up by whoever asks for a single stack, and by nobody else."""
    spec = service["spec"]
    addresses, held = spec.get("clusterIPs") or [], old.get("clusterIPs") or []
    before = old.get("ipFamilies") or []
    if policy == "SingleStack":
        if addresses == held:
            spec["clusterIPs"] = addresses[:1]
        return families[:1] if families == before else families
    fewer = (("cluster IP", addresses, held), ("IP family", families, before))
    wrong = [
        field.invalid(SPEC.child("ipFamilyPolicy"), policy, f"must be 'SingleStack' to release the secondary {what}")
        for what, new, had in fewer
        if new and len(new) < len(had)
    ]
    if wrong:
        raise _refused(service, wrong)
    return families


def _surplus(spec: Tree, families: list[str]) -> list[field.FieldError]:
    found = (("cluster IPs", spec.get("clusterIPs") or ()), ("IP families", families))
    detail = "must be 'RequireDualStack' or 'PreferDualStack' when multiple {} are specified"
    path = SPEC.child("ipFamilyPolicy")
    return [field.invalid(path, "SingleStack", detail.format(what)) for what, values in found if len(values) == 2]


def _infer(spec: Tree, families: list[str], cluster: Sequence[str]) -> list[field.FieldError]:
    """Append the families of addresses that no family is named for; what the cluster does not have is wrong."""
    addresses = [address for address in spec.get("clusterIPs") or () if address not in ("", "None")]
    wrong: list[field.FieldError] = []
    for index in range(len(families), len(addresses)):
        family = f"IPv{ipaddress.ip_address(addresses[index]).version}"
        if family in cluster:
            families.append(family)
        else:
            where, detail = SPEC.child("clusterIPs").index(index), f"{family} is not configured on this cluster"
            wrong.append(field.invalid(where, addresses, detail))
    return wrong


def _check_configured(service: Tree, policy: str, families: list[str], cluster: Sequence[str]) -> None:
    wrong: list[field.FieldError] = []
    if policy == "RequireDualStack" and len(cluster) < 2:
        detail = "this cluster is not configured for dual-stack services"
        wrong.append(field.invalid(SPEC.child("ipFamilyPolicy"), policy, detail))
    for index, family in enumerate(families):
        if family not in cluster:
            where = SPEC.child("ipFamilies").index(index)
            wrong.append(field.invalid(where, family, "not configured on this cluster"))
    if wrong:
        raise _refused(service, wrong)


def _invalid(service: Tree, wrong: field.FieldError) -> errors.StatusError:
    return _refused(service, [wrong])


def _refused(service: Tree, wrong: list[field.FieldError]) -> errors.StatusError:
    return errors.invalid("", "Service", service["metadata"].get("name", ""), wrong)
