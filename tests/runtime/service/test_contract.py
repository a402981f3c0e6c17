"""The runtime keeps CRI's contract, with the builtin launcher and with runc."""

from pybernetes.cri.testsuite import Contract


class TestContract(Contract):
    """`lab` comes from conftest."""
