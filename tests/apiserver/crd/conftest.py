"""A server that serves widgets."""

import pytest
from tests.apiserver.crd.widgets import DEFINITIONS, WIDGETS, definition, until


@pytest.fixture
async def widgets(api):
    assert (await api.call("POST", DEFINITIONS, definition())).status == 201
    await until(api, WIDGETS, 200)
    return api
