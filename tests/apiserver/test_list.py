"""Lists: chunks of one snapshot, exact revisions, selectors, formats."""

import gzip
import json

from pybernetes.apiserver.handlers.continuation import Position, encode_continue
from pybernetes.apiserver.http.message import Response

BASE = "/api/v1/namespaces/default/configmaps"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


async def fill(api, count):
    for number in range(count):
        body = {"metadata": {"name": f"c{number}", "labels": {"odd": str(number % 2)}}}
        await api.call("POST", BASE, body)


def names(reply):
    return [item["metadata"]["name"] for item in reply.body["items"]]


async def test_chunks_are_of_one_snapshot(api):
    await fill(api, 5)
    first = await api.call("GET", f"{BASE}?limit=2")
    assert names(first) == ["c0", "c1"]
    assert first.body["metadata"]["remainingItemCount"] == 3
    await api.call("DELETE", f"{BASE}/c3")
    await api.call("POST", BASE, {"metadata": {"name": "c2a"}})
    token = first.body["metadata"]["continue"]
    rest = await api.call("GET", f"{BASE}?limit=10&continue={token}")
    assert names(rest) == ["c2", "c3", "c4"]
    assert rest.body["metadata"]["resourceVersion"] == first.body["metadata"]["resourceVersion"]


async def test_an_exact_revision_is_read_from_history(api):
    await fill(api, 1)
    revision = (await api.call("GET", BASE)).body["metadata"]["resourceVersion"]
    await api.call("DELETE", f"{BASE}/c0")
    past = await api.call("GET", f"{BASE}?resourceVersion={revision}&resourceVersionMatch=Exact")
    assert names(past) == ["c0"]
    assert names(await api.call("GET", BASE)) == []


async def test_a_continue_token_that_is_none_is_refused(api):
    answer = await api.call("GET", f"{BASE}?limit=1&continue=%25%25")
    assert answer.status == 400


async def test_selectors(api):
    await fill(api, 3)
    assert names(await api.call("GET", f"{BASE}?labelSelector=odd=1")) == ["c1"]
    assert names(await api.call("GET", f"{BASE}?fieldSelector=metadata.name=c2")) == ["c2"]
    unknown = await api.call("GET", f"{BASE}?fieldSelector=spec.x=1")
    assert (
        unknown.body["message"] == '"spec.x" is not a known field selector: only "metadata.name", "metadata.namespace"'
    )


async def test_a_table(api):
    await fill(api, 1)
    table = (await api.call("GET", BASE, accept=TABLE)).body
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert table["rows"][0]["cells"][:2] == ["c0", 0]
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


async def test_a_long_answer_is_compressed_for_those_who_take_it(api):
    body = {"metadata": {"name": "big"}, "data": {"k": "x" * 200_000}}
    await api.call("POST", BASE, body)
    request = api.request("GET", BASE, None, "", "", accept_encoding="gzip")
    answer = await api.server(request)
    assert isinstance(answer, Response)
    assert ("content-encoding", "gzip") in answer.headers
    listed = json.loads(gzip.decompress(b"".join(answer.body)))
    assert listed["items"][0]["data"]["k"] == "x" * 200_000


async def test_no_representation_is_406(api):
    answer = await api.call("GET", BASE, accept="text/plain")
    assert (answer.status, answer.body["reason"]) == (406, "NotAcceptable")


async def test_a_revision_that_has_not_happened_is_told(api):
    answer = await api.call("GET", f"{BASE}?resourceVersion=99999999")
    assert answer.status == 504
    assert answer.body["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


async def test_what_is_answered_from_memory_is_not_cut(api):
    await fill(api, 3)
    assert names(await api.call("GET", f"{BASE}?limit=2&resourceVersion=0")) == ["c0", "c1", "c2"]


async def test_a_chunk_of_what_has_not_happened_yet(api):
    await fill(api, 3)
    token = encode_continue(Position(99_999_999, "c0"))
    refused = await api.call("GET", f"{BASE}?limit=1&continue={token}")
    assert refused.status == 504
    assert "Too large resource version: 99999999, current: " in refused.body["message"]
