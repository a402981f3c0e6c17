"""Plugins that register by their sockets: real ones, on our own server."""

import asyncio

import pytest

from pybernetes.aio.clock import FakeClock
from pybernetes.aio.grpc.errors import Code, GrpcError
from pybernetes.aio.grpc.listening import listening
from pybernetes.aio.grpc.server import Unary
from pybernetes.aio.tasks import open_scope
from pybernetes.kubelet.plugins.handler import Plugin, PluginRefused
from pybernetes.kubelet.plugins.messages import (
    SERVICE,
    InfoRequest,
    PluginInfo,
    RegistrationStatus,
    RegistrationStatusResponse,
)
from pybernetes.kubelet.plugins.watcher import PluginWatcher
from pybernetes.kubelet.root import Root


class Driver:
    """A plugin of one name; `told` is what the kubelet tells it."""

    def __init__(self, name="driver.example.com", kind="CSIPlugin", endpoint="", versions=("v1",)):
        self.info = PluginInfo(type=kind, name=name, endpoint=endpoint, supported_versions=list(versions))
        self.told: asyncio.Queue[RegistrationStatus] = asyncio.Queue()
        self.failures = 0
        self.asked = asyncio.Queue()

    def methods(self):
        async def info(request):
            self.asked.put_nowait(None)
            if self.failures:
                self.failures -= 1
                raise GrpcError(Code.INTERNAL, "not yet")
            return self.info

        async def notify(status):
            self.told.put_nowait(status)
            return RegistrationStatusResponse()

        return {
            f"{SERVICE}/GetInfo": Unary(InfoRequest, info),
            f"{SERVICE}/NotifyRegistrationStatus": Unary(RegistrationStatus, notify),
        }


class Drivers:
    """A handler that notes who is registered; `events` has each change."""

    def __init__(self):
        self.known: dict[str, Plugin] = {}
        self.changes: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    def validate(self, plugin):
        if "v1" not in plugin.versions:
            raise PluginRefused("unsupported version")

    async def register(self, plugin):
        if plugin.name == "unwanted":
            raise PluginRefused("unwanted")
        self.known[plugin.name] = plugin
        self.changes.put_nowait(("+", plugin.name))

    async def deregister(self, plugin):
        del self.known[plugin.name]
        self.changes.put_nowait(("-", plugin.name))


@pytest.fixture
async def node(tmp_path):
    """A root, its handler, its clock, and the watcher that runs."""
    root, drivers, clock = Root(tmp_path), Drivers(), FakeClock()
    root.make()
    watcher = PluginWatcher(root, {"CSIPlugin": drivers}, clock)
    async with open_scope("test") as scope:
        task = scope.spawn(watcher.run(), "watcher")
        yield root, drivers, clock, task


def serve(root, driver, name="driver-reg.sock"):
    return listening(root.plugins_registry / name, driver.methods)


TAKEN = RegistrationStatus(plugin_registered=True)


async def test_a_plugin_is_registered_for_as_long_as_its_socket_is_there(node):
    root, drivers, _, _ = node
    driver = Driver(endpoint="/var/lib/kubelet/plugins/driver/csi.sock")
    async with serve(root, driver):
        assert await driver.told.get() == TAKEN
        (plugin,) = drivers.known.values()
        assert plugin.endpoint == root.plugins / "driver" / "csi.sock"
        assert plugin.versions == ("v1",)
        assert await drivers.changes.get() == ("+", plugin.name)
    assert await drivers.changes.get() == ("-", plugin.name)


async def test_plugins_that_are_there_before_the_kubelet(tmp_path):
    root, drivers, driver = Root(tmp_path), Drivers(), Driver()
    root.make()
    async with serve(root, driver), open_scope("test") as scope:
        scope.spawn(PluginWatcher(root, {"CSIPlugin": drivers}, FakeClock()).run(), "watcher")
        assert await driver.told.get() == TAKEN
    assert drivers.changes.qsize() == 1, "a kubelet that ends takes nothing back"


async def test_sockets_in_directories_and_not_those_that_are_hidden(node):
    root, drivers, _, _ = node
    directory = root.plugins_registry / "some" / "where"
    directory.mkdir(parents=True)
    hidden, shown = Driver("hidden"), Driver("shown")
    (root.plugins_registry / "file.sock").write_text("no socket")
    async with serve(root, hidden, ".hidden.sock"), serve(root, shown, "some/where/shown.sock"):
        assert await shown.told.get() == TAKEN
        assert list(drivers.known) == ["shown"]


async def test_a_socket_that_takes_the_place_of_another_is_another_plugin(node):
    root, drivers, _, _ = node
    old, new = Driver("old"), Driver("new")
    async with serve(root, old):
        assert await old.told.get() == TAKEN
        async with serve(root, new):  # the old one still lives
            assert await new.told.get() == TAKEN
            assert [await drivers.changes.get() for _ in range(3)] == [("+", "old"), ("-", "old"), ("+", "new")]


async def test_the_endpoint_is_the_socket_if_none_is_named(node):
    root, drivers, _, _ = node
    driver = Driver()
    async with serve(root, driver):
        await driver.told.get()
        assert drivers.known["driver.example.com"].endpoint == root.plugins_registry / "driver-reg.sock"


@pytest.mark.parametrize(
    ("driver", "words"),
    [
        (Driver(kind="Coffee"), "RegisterPlugin error -- no handler registered for plugin type: Coffee at socket "),
        (
            Driver(versions=["v9"]),
            "RegisterPlugin error -- plugin validation failed with err: unsupported version",
        ),
        (Driver("unwanted"), "RegisterPlugin error -- plugin registration failed with err: unwanted"),
    ],
)
async def test_a_plugin_that_is_not_taken_is_told_why_and_asked_again(node, driver, words):
    root, drivers, clock, _ = node
    async with serve(root, driver):
        for _ in range(2):
            status = await driver.told.get()
            assert not status.plugin_registered
            assert status.error.startswith(words)
            await let_sleep(clock)
            await clock.advance(1.0)
    assert drivers.changes.empty()


async def test_a_plugin_that_does_not_answer_yet_is_asked_later_and_ever_later(node):
    root, _, clock, _ = node
    driver = Driver()
    driver.failures = 3
    async with serve(root, driver):
        for seconds in (0.5, 1.0, 2.0):
            await driver.asked.get()
            await let_sleep(clock)
            await clock.advance(seconds - 0.01)
            assert clock._sleepers
            await clock.advance(0.01)
        assert await driver.told.get() == TAKEN


async def test_a_plugin_that_goes_while_it_is_waited_for_is_forgotten(node):
    root, drivers, clock, _ = node
    silent, other = Driver("silent"), Driver("other")
    silent.failures = 1
    async with serve(root, silent):
        await let_sleep(clock)
    async with serve(root, other):
        assert await other.told.get() == TAKEN
    assert await drivers.changes.get() == ("+", "other")


async def let_sleep(clock):
    """Until somebody waits for the clock."""
    while not clock._sleepers:
        await asyncio.sleep(0.001)
