"""How long the kernel remembers connections that services have translated: kube-proxy's settings of conntrack.

A client that only reads has closed its side for as long as the server sends; what the kernel forgets meanwhile (after a
minute, by its own default) is a connection that never ends on the other side. nf_conntrack_max, which is the whole
machine's and not a network namespace's, is left alone.
"""

import logging
from collections.abc import Mapping
from pathlib import Path

log = logging.getLogger(__name__)

_FOLDER = Path("/proc/sys/net/netfilter")


def set_conntrack(wanted: Mapping[str, int], folder: Path = _FOLDER) -> None:
    """Write settings by name, in this network namespace; 0 leaves one as it is, and one that cannot be set is logged."""
    for name, value in wanted.items():
        path = folder / name
        try:
            if value and path.read_text().strip() != str(value):
                path.write_text(str(value))
        except OSError as error:
            log.warning("conntrack is left as it is setting=%s error=%r", name, str(error))
