"""What `p8s why` makes of a server that does not let its user in."""

from __future__ import annotations

import pytest

from pybernetes.api import errors
from pybernetes.cli.console import FAILED, NOT_RUNNING, Failure
from pybernetes.cli.unanswered import nothing_allowed, refused
from pybernetes.client.config import Config

CONFIG = Config(("https://192.0.2.1:6443",), context="lab")


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (
            "[SSL: SSLV3_ALERT_CERTIFICATE_EXPIRED] sslv3 alert certificate expired (_ssl.c:2580)",
            "the client certificate of context 'lab' has expired, says https://192.0.2.1:6443",
        ),
        (
            "[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca (_ssl.c:2580)",
            "https://192.0.2.1:6443 does not take the client certificate of context 'lab': it is another cluster's, or not valid now",
        ),
        (
            "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate in certificate chain (_ssl.c:1006)",
            "the cluster at https://192.0.2.1:6443 is not the one of context 'lab': the authority of its certificate is another",
        ),
        (
            "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1006)",
            "the certificate of https://192.0.2.1:6443 is not valid now: look at both clocks",
        ),
    ],
)
def test_certificates_that_are_refused(said: str, cause: str) -> None:
    failure = refused(CONFIG, errors.service_unavailable(f"{CONFIG.server}: {said}"))
    assert isinstance(failure, Failure)
    assert failure.code == NOT_RUNNING
    assert failure.causes == [(cause, "sudo p8s update-context -p PROFILE    # if it is a cluster of this machine")]


def test_a_server_that_hangs_is_not_said_to_be_gone() -> None:
    failure = refused(CONFIG, errors.service_unavailable(f"{CONFIG.server}: TimeoutError"))
    assert isinstance(failure, Failure)
    assert failure.causes[0][0].endswith(": it takes the connection and does not answer")


def test_a_token_that_is_over() -> None:
    failure = refused(CONFIG, errors.unauthorized())
    assert isinstance(failure, Failure)
    assert failure.code == FAILED
    assert "the credentials of context 'lab' have expired, or are another cluster's" in failure.causes[0][0]


def test_who_may_list_nothing_is_not_told_that_nothing_is_wrong() -> None:
    assert "lets you list nothing" in nothing_allowed(CONFIG).causes[0][0]
