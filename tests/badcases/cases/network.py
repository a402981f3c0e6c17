"""Services, endpoints and Ingresses."""

from __future__ import annotations

from typing import Any

from tests.badcases.cases.case import Case, Tree
from tests.badcases.manifests import container, deployment, ingress, plain, pod, service


def asking(name: str) -> Tree:
    """A pod whose init container asks for a service until it is there."""
    command = ["sh", "-c", f"until wget -q -O- http://{name}; do sleep 0.2; done"]
    return pod(spec={"initContainers": [container(name="first", command=command)]})


def probe(port: int = 80, **fields: Any) -> Tree:
    return {"httpGet": {"port": port, "path": "/"}, "periodSeconds": 1, "failureThreshold": 1} | fields


NETWORK = (
    Case(
        "selector",
        (deployment("web"), service(selector={"app": "wep"})),
        "svc/web",
        r"its selector app=wep matches no pod; pods have app=web",
        next=r"kubectl set selector service/web -n selector 'app=web'",
    ),
    Case(
        "selector-too-much",
        (deployment("web"), service(selector={"app": "web", "tier": "front"})),
        "svc/web",
        r"its selector app=web,tier=front matches no pod: pods with app=web have no label tier=front",
        next=r"kubectl set selector service/web -n selector-too-much 'app=web'",
    ),
    Case(
        "target-port",
        (deployment(ports=[{"containerPort": 8080}]), service()),
        "svc/web",
        r"it sends to port 80, and its pods declare 8080",
        next=r'"value":8080',
    ),
    Case(
        "port-name",
        (deployment(ports=[{"containerPort": 80, "name": "http"}]), service(ports=[{"port": 80, "targetPort": "htp"}])),
        "svc/web",
        r'targetPort htp is no port of its pods; nearest is "http"',
    ),
    Case(
        "listens-elsewhere",
        (deployment(command=["httpd", "-f", "-p", "80"]), service(ports=[{"port": 8080}])),
        "svc/web",
        r"nobody listens on port 8080 of its pods; somebody does on 80$",
        r"connection refused",
        r'kubectl patch service/web -n listens-elsewhere --type=json -p .*/spec/ports/0/targetPort","value":80}',
    ),
    Case(
        "nobody-listens",
        (deployment(), service()),
        "svc/web",
        r"nobody listens on port 80 of its pods",
        r"connection refused",
        r"kubectl exec pod/web-\S+ -n nobody-listens -- netstat -tln",
    ),
    Case(
        "not-ready",
        (deployment(readinessProbe=probe()), service()),
        "svc/web",
        r"its readiness probe fails: GET / on port 80",
        r"Readiness probe failed",
    ),
    Case(
        "policy",
        (
            plain(
                "NetworkPolicy", "walls", "networking.k8s.io/v1", spec={"podSelector": {}, "policyTypes": ["Egress"]}
            ),
            pod("client", command=["sh", "-c", "echo dial tcp 10.96.0.1:443: i/o timeout; exit 1"]),
        ),
        "pod/client",
        r"selects it: its pods may connect to nobody",
        r"log: dial tcp 10\.96\.0\.1:443: i/o timeout",
        r"kubectl edit networkpolicy/walls -n policy",
    ),
    Case(
        "name-asked",
        (
            service("php-apache"),
            pod("load", command=["sh", "-c", "trap exit TERM; while sleep 0.2; do wget -q -O- http://php-apach; done"]),
        ),
        "pod/load",
        r"it asks DNS for service php-apach of namespace name-asked, which does not exist; there is php-apache",
        r'asked DNS for "php-apach\.name-asked\.svc\.cluster\.local", which does not exist',
        r"let it ask for php-apache",
    ),
    Case(
        "ingress-service",
        (
            deployment(),
            service("web"),
            plain("IngressClass", "badcases", "networking.k8s.io/v1", spec={"controller": "example.com/none"}),
            ingress("wed", ingressClassName="badcases"),
        ),
        "ingress/web",
        r'service wed does not exist; nearest is "web"',
    ),
    Case(
        "ingress-class",
        (ingress(ingressClassName="ngnix"),),
        "ing/web",
        r"ingress class ngnix does not exist",
        next=r'"ingressClassName":"pybernetes"',
    ),
    Case(
        "scaled-to-nothing",
        (deployment(replicas=0), service()),
        "svc/web",
        r"its selector app=web matches no pod now: deployment/web is scaled to 0",
        next=r"kubectl scale deployment/web -n scaled-to-nothing --replicas=1",
    ),
    Case(
        "balancer-class",
        (deployment(), service(type="LoadBalancer", loadBalancerClass="example.com/none")),
        "svc/web",
        r"it waits for the controller of loadBalancerClass example\.com/none",
        next=r"leave loadBalancerClass out",
    ),
    Case(
        "name-awaited",
        (asking("mysql"),),
        "pod/web",
        r"it asks DNS for service mysql of namespace name-awaited, which does not exist$",
        r'asked DNS for "mysql\.name-awaited\.svc\.cluster\.local"',
        r"make that service, or let it ask for another: kubectl get services -n name-awaited",
    ),
    Case(
        "name-asked-first",
        (
            service("data"),
            asking("dat"),
        ),
        "pod/web",
        r"it asks DNS for service dat of namespace name-asked-first, which does not exist; there is data",
        next=r"let it ask for data",
    ),
)
