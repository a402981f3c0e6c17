"""What `p8s why` is asked about, by any name of it."""

from __future__ import annotations

import pytest

from pybernetes.api.types import apps_v1, autoscaling_v2
from pybernetes.api.types import core_v1 as v1
from pybernetes.explain.targets import TargetError, parse


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["deployment/web"], apps_v1.Deployment),
        (["deploy", "web"], apps_v1.Deployment),
        (["deployments.apps/web"], apps_v1.Deployment),
        (["svc/web"], v1.Service),
        (["PersistentVolumeClaim/web"], v1.PersistentVolumeClaim),
        (["hpa", "web"], autoscaling_v2.HorizontalPodAutoscaler),
    ],
)
def test_kinds_go_by_all_their_names(words: list[str], kind: type) -> None:
    target = parse(words)
    assert (target.kind, target.name) == (kind, "web")


@pytest.mark.parametrize(
    ("words", "step"),
    [
        (["web"], "p8s why deployment/web"),
        (["deploymnt/web"], "p8s why deployment/web"),
        (["pod/"], "p8s why pod/NAME"),
        (["a", "b", "c"], "p8s why deployment/web, or p8s why for all that is wrong"),
    ],
)
def test_what_cannot_be_explained_says_what_to_type(words: list[str], step: str) -> None:
    with pytest.raises(TargetError) as refused:
        parse(words)
    assert refused.value.step == step
