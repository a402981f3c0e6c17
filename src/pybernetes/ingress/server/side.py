"""What a client's side does with a request, whatever version of HTTP it came in: where to, and what if that fails."""

from __future__ import annotations

from typing import Protocol

from pybernetes.api.endpoints import Target
from pybernetes.ingress.decide import Forward, Question, Redirect, Refuse
from pybernetes.ingress.server.exchange import Answering, Exchange
from pybernetes.ingress.server.gate import Gate
from pybernetes.ingress.server.message import origin_form
from pybernetes.ingress.server.pool import NoBackendError


class Side(Answering, Protocol):
    """The base of those that take requests and write answers."""

    gate: Gate

    @property
    def is_open(self) -> bool:
        """Whether the client is still there."""
        ...

    def refuse(self, exchange: Exchange, status: int, message: str, *, location: str = "") -> None:
        """Our own answer."""
        ...

    def abort(self) -> None:
        """There is no more of an answer that has begun."""
        ...

    def regulate(self) -> None:
        """Read on only while somebody takes what comes."""
        ...

    def start(self, exchange: Exchange) -> None:
        """The head of a request is there, and it is its turn."""
        exchange.host, target = origin_form(exchange.host, exchange.target)
        host, path = exchange.host.decode("latin-1"), target.decode("latin-1")
        decision = self.gate.decide(Question(host, path, self.client.secure, self.gate.secure_port))
        if isinstance(decision, Refuse):
            self.refuse(exchange, decision.status, decision.message)
        elif isinstance(decision, Redirect):
            self.refuse(exchange, 308, f"see {decision.location}", location=decision.location)
        else:
            self._forward(exchange, decision)

    def _forward(self, exchange: Exchange, forward: Forward) -> None:
        exchange.forward = forward
        limit = forward.options.max_body
        if limit and max(exchange.length(), exchange.received) > limit:
            self.too_large(exchange, limit)
            return
        targets, kept = self.gate.pool.kept(exchange, forward)
        if kept is not None:
            kept.take(exchange)
        else:
            self.gate.scope.spawn(self._connect(exchange, forward, targets), "connect")

    async def _connect(self, exchange: Exchange, forward: Forward, targets: list[Target]) -> None:
        try:
            upstream = await self.gate.pool.connect(exchange, forward, targets)
        except NoBackendError as error:
            self.failed(exchange, error.status, str(error))
            return
        if not self.is_open or exchange.answered:
            upstream.close()
        else:
            upstream.take(exchange)
            self.regulate()

    def receive(self, exchange: Exchange, data: bytes) -> None:
        """A part of a request's body."""
        exchange.received += len(data)
        limit = exchange.forward.options.max_body if exchange.forward is not None else 0
        if limit and exchange.received > limit and not exchange.answered:
            self.too_large(exchange, limit)
        exchange.receive(data)

    def broken_off(self, exchange: Exchange, why: str) -> None:
        """The backend has gone before its answer was complete."""
        exchange.upstream = None
        forward = exchange.forward
        assert forward is not None
        if exchange.may_repeat() and self.is_open:
            targets = self.gate.pool.targets(forward)
            self.gate.scope.spawn(self._connect(exchange, forward, targets), "connect again")
        else:
            self.failed(exchange, 502, f"service {forward.backend.name} broke off: {why}")

    def failed(self, exchange: Exchange, status: int, message: str) -> None:
        """There will be no (more of an) answer."""
        if exchange.started:
            self.abort()
        else:
            self.refuse(exchange, status, message)

    def too_large(self, exchange: Exchange, limit: int) -> None:
        upstream, exchange.upstream = exchange.upstream, None
        if upstream is not None:
            upstream.give_up()
        self.failed(exchange, 413, f"bodies may have {limit} bytes here (proxy-body-size)")
