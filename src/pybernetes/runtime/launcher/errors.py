"""Why a container or a command in it did not start."""


class LaunchError(Exception):
    """The message is runc's, where runc has one: people and tools search for it."""
