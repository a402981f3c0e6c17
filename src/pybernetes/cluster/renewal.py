"""Certificates renewed under a running cluster: what the supervisor does when one's time comes or the clock jumps.

The components take the new files up by themselves, at their next handshake.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from pybernetes.cluster import kubeconfig
from pybernetes.cluster.certificates import Certificates
from pybernetes.cluster.profile import Profile

log = logging.getLogger(__name__)


class Renewal:
    """The supervisor's Upkeep of one profile."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile

    def due(self) -> float:
        """When the next certificate has to be renewed, in Unix seconds."""
        return Certificates(self._profile.reread()).renewal().timestamp()

    def run(self, now: datetime | None = None) -> None:
        """Renew what has to be at `now`, and hand it to those who keep a copy: the users' kubeconfigs.

        For a process without threads: it takes on the identity of each kubeconfig's owner for a moment.
        """
        profile = self._profile.reread()
        made = Certificates(profile, now or datetime.now(UTC)).ensure()
        if not made:
            return
        log.info("certificates renewed names=%s", ",".join(made))
        kubeconfig.write_components(profile)
        if "admin" in made:
            for place in kubeconfig.places(self._profile):
                self._refresh(place)

    def _refresh(self, place: kubeconfig.Place) -> None:
        """One that cannot be written does not keep the others from it."""
        try:
            kubeconfig.refresh(self._profile, place)
        except kubeconfig.KubeconfigError as error:
            log.warning("kubeconfig not renewed path=%s error=%s", place.path, error)
