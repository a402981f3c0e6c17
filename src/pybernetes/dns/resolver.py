"""From a query to an answer: the cluster's own names from the zone, all others from the cache or the resolvers."""

import asyncio
from collections import OrderedDict

from pybernetes.dns import messages
from pybernetes.dns.cache import Cache
from pybernetes.dns.forward import Forwarder
from pybernetes.dns.messages import MessageError, Query
from pybernetes.dns.zone import Answer, Zone

_KEPT_ANSWERS = 4096
_KNOWN_SECONDS = 4.0


class Resolver:
    """Answers queries. The zone is changed by others; `forget` tells that it was.

    Questions about the zone wait until it is `known`: after a restart no name is denied that is merely not known yet.
    """

    def __init__(self, zone: Zone, cache: Cache, forwarder: Forwarder) -> None:
        self.known = asyncio.Event()
        self._zone = zone
        self._cache = cache
        self._forwarder = forwarder
        # The zone's answers as sent, by all of the query but its id.
        self._answers: OrderedDict[bytes, bytes] = OrderedDict()

    def forget(self) -> None:
        """The zone has changed."""
        self._answers.clear()

    def answer_known(self, data: bytes) -> bytes | None:
        """The answer to a query that was answered before; None if it must be worked out."""
        known = self._answers.get(data[2:])
        return messages.with_id(known, data) if known else None

    async def answer(self, data: bytes, *, tcp: bool) -> bytes:
        """The answer to send; nothing for what deserves none."""
        try:
            query = messages.parse_query(data)
        except MessageError as error:
            return error.answer
        if not self._zone.covers(query.name):
            found = await self._ask(query, tcp)
            return found if tcp else messages.fit(query, found)
        try:
            async with asyncio.timeout(_KNOWN_SECONDS):
                await self.known.wait()
        except TimeoutError:
            return messages.failure(query, messages.SERVFAIL)
        told = self._zone.look_up(query.name, query.kind)
        found = self._encode(query, told)
        if told.leads_to:
            found = await self._follow(query, told.leads_to, found, tcp)
        if tcp:
            return messages.cut(found)
        found = messages.fit(query, found)
        if not told.leads_to:
            self._keep(data, found)
        return found

    def _keep(self, data: bytes, answer: bytes) -> None:
        self._answers[data[2:]] = answer
        if len(self._answers) > _KEPT_ANSWERS:
            self._answers.popitem(last=False)

    def _encode(self, query: Query, told: Answer) -> bytes:
        code = messages.NOERROR if told.exists or told.records else messages.NXDOMAIN
        authority = None if told.records else self._zone.authority()
        return messages.answer(query, code, told.records, extra=told.additional, authority=authority)

    async def _follow(self, query: Query, target: str, found: bytes, tcp: bool) -> bytes:
        """The alias with what it stands for: clients leave the following to their resolver."""
        try:
            return messages.extended(found, await self._ask(messages.question(target, query), tcp))
        except MessageError:
            return messages.failure(query, messages.SERVFAIL)

    async def _ask(self, query: Query, tcp: bool) -> bytes:
        if (known := self._cache.get(query, tcp=tcp)) is not None:
            return known
        data = await self._forwarder.ask(query, tcp=tcp)
        self._cache.put(query, data, tcp=tcp)
        return data
