"""Services as environment variables: `WEB_SERVICE_HOST` and the older link form `WEB_PORT_80_TCP`."""

from collections.abc import Iterable

from pybernetes.api.types import core_v1 as v1


def service_variables(services: Iterable[v1.Service], namespace: str, with_links: bool) -> dict[str, str]:
    """Those of the pod's namespace, and always those of the API itself (`default/kubernetes`)."""
    chosen: dict[str, v1.Service] = {}
    for service in services:
        meta, address = service.metadata, service.spec.cluster_ip
        if not address or address == "None":
            continue
        if meta.namespace == "default" and meta.name == "kubernetes":
            chosen.setdefault("kubernetes", service)
        if with_links and meta.namespace == namespace:
            chosen[meta.name or ""] = service
    variables: dict[str, str] = {}
    for service in chosen.values():
        variables |= _variables(service)
    return variables


def _name(text: str) -> str:
    return text.upper().replace("-", "_")


def _variables(service: v1.Service) -> dict[str, str]:
    prefix, address = _name(service.metadata.name or ""), service.spec.cluster_ip or ""
    ports = service.spec.ports
    if not ports:
        return {}
    first = ports[0]
    variables = {f"{prefix}_SERVICE_HOST": address, f"{prefix}_SERVICE_PORT": str(first.port)}
    for port in ports:
        if port.name:
            variables[f"{prefix}_SERVICE_PORT_{_name(port.name)}"] = str(port.port)
    host = f"[{address}]" if ":" in address else address
    variables[f"{prefix}_PORT"] = f"{(first.protocol or 'TCP').lower()}://{host}:{first.port}"
    for port in ports:
        protocol = port.protocol or "TCP"
        link = f"{prefix}_PORT_{port.port}_{protocol.upper()}"
        variables[link] = f"{protocol.lower()}://{host}:{port.port}"
        variables[f"{link}_PROTO"] = protocol.lower()
        variables[f"{link}_PORT"] = str(port.port)
        variables[f"{link}_ADDR"] = address
    return variables
