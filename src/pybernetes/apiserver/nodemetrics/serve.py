"""GET of NodeMetrics and PodMetrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from pybernetes.api.errors import not_found
from pybernetes.api.tree import Tree
from pybernetes.apiserver.builtin import builtin
from pybernetes.apiserver.cacher.item import Item, stored_form
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.encoders import Encoders
from pybernetes.apiserver.encoding import ListMetadata
from pybernetes.apiserver.handlers.list_options import list_options, matches
from pybernetes.apiserver.http.message import Answer, Response
from pybernetes.apiserver.negotiate import VIEWS, negotiate
from pybernetes.apiserver.nodemetrics.definitions import node_schema, pod_schema
from pybernetes.apiserver.nodemetrics.kubelet_samples import KubeletSamples, KubeletScrape
from pybernetes.apiserver.nodemetrics.objects import COLUMNS, NODES, PODS, cells, node_metrics, pod_metrics
from pybernetes.apiserver.nodemetrics.samples import Subject, Usage, usages
from pybernetes.apiserver.registry.served import Served
from pybernetes.apiserver.registry.served_registry import ServedRegistry
from pybernetes.apiserver.resources.strategy import Strategy, Target
from pybernetes.apiserver.services import Services

STORED_NODES: Final = builtin("", "v1", "nodes")
STORED_PODS: Final = builtin("", "v1", "pods")


class NodeMetricsAPI:
    """Answers all requests of the group; an `Action` of both its kinds."""

    def __init__(self, services: Services, samples: KubeletSamples) -> None:
        self._services, self._samples = services, samples
        self._encoders = Encoders()
        self._served: dict[str, Served] = {}

    def serve(self, registry: ServedRegistry) -> None:
        """Put the group's resources among those that are served."""
        for resource, schema in ((NODES, node_schema()), (PODS, pod_schema())):
            strategy = Strategy(resource, virtual=self, tracks_owners=False)
            store = registry.new_store(resource, strategy)
            served = Served(resource, strategy, store, defined=schema, columns=COLUMNS, cells=cells)
            registry.add(served)
            self._served[resource.plural] = served

    async def __call__(self, ctx: RequestContext, target: Target) -> Answer:
        served = self._served[target.resource.plural]
        wanted = negotiate(ctx.request.headers.get("accept", ""), kinds=VIEWS, pretty=ctx.request.is_pretty)
        include = ctx.request.parameter("includeObject")
        if target.name:
            encoder = self._encoders.single(served, wanted, include)
            return Response(200, encoder.obj(await self._get(target)), encoder.content_type)
        options = list_options(ctx.request, served)
        encoder = self._encoders.collection(served, wanted, include)
        items = [item for item in await self._list(target) if matches(item, options, served.strategy)]
        return Response(200, encoder.items(items, ListMetadata("")), encoder.content_type)

    async def _get(self, target: Target) -> Item:
        shown = f"{target.namespace}/{target.name}" if target.namespace else target.name
        stored = STORED_PODS if target.namespace else STORED_NODES
        subject = self._services.registry.get(stored, target.name, target.namespace)
        if subject is None:
            raise _unknown(target, shown)
        found = await self._made([subject], target.resource.plural)
        if not found:
            raise _unknown(target, shown)
        return found[0]

    async def _list(self, target: Target) -> list[Item]:
        registry = self._services.registry
        if target.resource == NODES:
            return await self._made(registry.list(STORED_NODES), "nodes")
        return await self._made(registry.list(STORED_PODS, target.namespace), "pods")

    async def _made(self, subjects: list[Item], plural: str) -> list[Item]:
        """Metrics of nodes or pods, as far as there are any."""
        make: Callable[[Tree, dict[Subject, Usage], float], Tree | None]
        make, node_of = (node_metrics, _own_name) if plural == "nodes" else (pod_metrics, _node_name)
        by_node = await self._usages({node_of(item.tree) for item in subjects})
        now = self._services.clock.now().timestamp()
        made = (make(item.tree, by_node.get(node_of(item.tree), {}), now) for item in subjects)
        return [_item(tree) for tree in made if tree is not None]

    async def _usages(self, names: Iterable[str]) -> dict[str, dict[Subject, Usage]]:
        nodes = {item.name: item.tree for item in self._services.registry.list(STORED_NODES)}
        self._samples.forget(self._samples.known - nodes.keys())
        samples = await self._samples.of(list(_present(nodes, names)))
        return {name: usages(taken) for name, taken in samples.items()}


def _present(nodes: dict[str, Tree], names: Iterable[str]) -> Iterator[Tree]:
    return (nodes[name] for name in names if name in nodes)


def _own_name(node: Tree) -> str:
    name: str = node["metadata"]["name"]
    return name


def _node_name(pod: Tree) -> str:
    """Where a pod runs; "" for one that does not."""
    if (pod.get("status") or {}).get("phase") != "Running":
        return ""
    name: str = (pod.get("spec") or {}).get("nodeName") or ""
    return name


def _item(tree: Tree) -> Item:
    metadata = tree["metadata"]
    key = f"{metadata['namespace']}/{metadata['name']}" if "namespace" in metadata else metadata["name"]
    return Item(key, stored_form(tree, keep_type=False), 0, 0)


def _unknown(target: Target, shown: str) -> Exception:
    return not_found(target.resource.group, f"{target.resource.kind.lower()}", shown)


def serve_node_metrics(services: Services, registry: ServedRegistry) -> None:
    """Serve `metrics.k8s.io/v1beta1` from the kubelets of this cluster."""
    samples = KubeletSamples(KubeletScrape(services.kubelets, services.clock), services.clock)
    NodeMetricsAPI(services, samples).serve(registry)
