"""What the published definitions say of fields whose values can be listed."""

from __future__ import annotations

from pybernetes.apiserver.openapi.definitions import rendered


def test_descriptions_list_the_values_of_strings_and_not_of_lists() -> None:
    spec = rendered("io.k8s.api.core.v1.PodSpec", "#/definitions/", defaults=False)["properties"]
    listed = (
        '\n\nPossible enum values:\n - `"ClusterFirst"`\n - `"ClusterFirstWithHostNet"`\n - `"Default"`\n - `"None"`'
    )
    assert spec["dnsPolicy"]["description"].endswith(listed)
    claim = rendered("io.k8s.api.core.v1.PersistentVolumeClaimSpec", "#/definitions/", defaults=False)["properties"]
    assert claim["accessModes"]["items"]["enum"]
    assert "Possible enum values" not in claim["accessModes"]["description"]
