"""Name resolution inside pods."""

from __future__ import annotations

from pybernetes.api import field, names
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.addresses import validate_ip
from pybernetes.api.validation.kinds import Errors
from pybernetes.api.validation.metadata import complain

_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_MAX_NAMESERVERS, _MAX_SEARCHES, _MAX_SEARCH_CHARS = 3, 32, 2048


def validate_dns(spec: Tree, path: Path) -> Errors:
    policy, config = spec.get("dnsPolicy", ""), spec.get("dnsConfig")
    if not policy:
        yield field.required(path.child("dnsPolicy"))
    elif policy not in _POLICIES:
        yield field.not_supported(path.child("dnsPolicy"), policy, _POLICIES)
    at = path.child("dnsConfig")
    if policy == "None":
        if config is None:
            yield field.required(at, "must provide `dnsConfig` when `dnsPolicy` is None")
            return
        if not config.get("nameservers"):
            yield field.required(
                at.child("nameservers"), "must provide at least one DNS nameserver when `dnsPolicy` is None"
            )
    if config is not None:
        yield from _validate_config(config, at)


def _validate_config(config: Tree, path: Path) -> Errors:
    servers, searches = config.get("nameservers") or [], config.get("searches") or []
    if len(servers) > _MAX_NAMESERVERS:
        detail = f"must not have more than {_MAX_NAMESERVERS} nameservers"
        yield field.invalid(path.child("nameservers"), servers, detail)
    for index, server in enumerate(servers):
        yield from validate_ip(server, path.child("nameservers").index(index))
    if len(searches) > _MAX_SEARCHES:
        detail = f"must not have more than {_MAX_SEARCHES} search paths"
        yield field.invalid(path.child("searches"), searches, detail)
    if len(" ".join(searches)) > _MAX_SEARCH_CHARS:
        detail = "must not have more than 2048 characters (including spaces) in the search list"
        yield field.invalid(path.child("searches"), searches, detail)
    for index, search in enumerate(searches):
        name = search.removesuffix(".")
        if search != ".":
            yield from complain(path.child("searches").index(index), name, names.search_domain(name))
    for index, option in enumerate(config.get("options") or ()):
        if not option.get("name"):
            yield field.required(path.child("options").index(index), "must not be empty")


def validate_host_aliases(aliases: list[Tree], path: Path) -> Errors:
    for index, alias in enumerate(aliases):
        yield from validate_ip(alias.get("ip", ""), path.index(index).child("ip"))
        for number, hostname in enumerate(alias.get("hostnames") or ()):
            at = path.index(index).child("hostnames").index(number)
            yield from complain(at, hostname, names.dns1123_subdomain(hostname))
