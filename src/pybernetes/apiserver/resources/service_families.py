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


def set_families(service: Tree, cluster: Sequence[str]) -> None:
    """Fill in ipFamilyPolicy and ipFamilies. Raises StatusError for what is wrong, or the cluster does not have."""
    spec = service["spec"]
    if not needs_address(spec):
        return
    if wrong := list(validate_addresses(spec)):
        raise _refused(service, wrong)
    families = list(spec.get("ipFamilies") or _families_of(spec.get("clusterIPs") or ()))
    headless = is_headless(spec)
    any_family = headless and not spec.get("selector") and not families
    policy = spec.get("ipFamilyPolicy")
    if not policy:
        dual = any_family or len(families) > 1
        policy = "RequireDualStack" if dual else "SingleStack"
    elif not any_family:
        _check(service, policy, families, cluster)
    if any_family:
        families = [*cluster, *(family for family in BOTH if family not in cluster)]
        families = families if policy != "SingleStack" else families[:1]
    elif not families:
        families = [cluster[0]]
    if policy in ("PreferDualStack", "RequireDualStack") and len(families) == 1:
        families += [family for family in cluster if family not in families]
    if not headless:
        _check_configured(service, families, cluster)
    spec["ipFamilyPolicy"], spec["ipFamilies"] = policy, families


def _families_of(addresses: Sequence[str]) -> list[str]:
    families: list[str] = []
    for address in addresses:
        try:
            families.append(f"IPv{ipaddress.ip_address(address).version}")
        except ValueError:
            continue  # "None", or what validation names
    return families


def _check(service: Tree, policy: str, families: list[str], cluster: Sequence[str]) -> None:
    if policy == "RequireDualStack" and len(cluster) < 2:
        wrong = "this cluster is not configured for dual-stack services"
        raise _invalid(service, field.invalid(SPEC.child("ipFamilyPolicy"), policy, wrong))
    if policy == "SingleStack" and len(families) > 1:
        wrong = "may only hold up to 1 value when ipFamilyPolicy is SingleStack"
        raise _invalid(service, field.invalid(SPEC.child("ipFamilies").index(1), families[1], wrong))


def _check_configured(service: Tree, families: list[str], cluster: Sequence[str]) -> None:
    for index, family in enumerate(families):
        if family not in cluster:
            where = SPEC.child("ipFamilies").index(index)
            raise _invalid(service, field.invalid(where, family, "not configured on this cluster"))


def _invalid(service: Tree, wrong: field.FieldError) -> errors.StatusError:
    return _refused(service, [wrong])


def _refused(service: Tree, wrong: list[field.FieldError]) -> errors.StatusError:
    return errors.invalid("", "Service", service["metadata"].get("name", ""), wrong)
