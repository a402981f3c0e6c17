"""Names of images, as distribution/reference has them."""

import pytest

from pybernetes.wire.images.reference import InvalidReferenceError, parse, parse_error

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.16.0", "docker.io/library/nginx:1.16.0"),
        ("team/app", "docker.io/team/app:latest"),
        ("docker.io/nginx", "docker.io/library/nginx:latest"),
        ("index.docker.io/library/nginx", "docker.io/library/nginx:latest"),
        ("localhost/app", "localhost/app:latest"),
        ("localhost:5000/app:v1", "localhost:5000/app:v1"),
        ("127.0.0.1:5000/a/b/c", "127.0.0.1:5000/a/b/c:latest"),
        ("[::1]:5000/app", "[::1]:5000/app:latest"),
        ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"),
        ("Registry/app", "Registry/app:latest"),
        ("a__b/c-d.e", "docker.io/a__b/c-d.e:latest"),
        (f"nginx@{DIGEST}", f"docker.io/library/nginx@{DIGEST}"),
        (f"nginx:1.16.0@{DIGEST}", f"docker.io/library/nginx@{DIGEST}"),
        ("nginx:" + "t" * 128, "docker.io/library/nginx:" + "t" * 128),
    ],
)
def test_names_get_dockers_defaults(name: str, full: str) -> None:
    assert str(parse(name)) == full
    assert parse(full) == parse(name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nginx@latest", "invalid reference format"),
        ("", "invalid reference format"),
        ("nginx:", "invalid reference format"),
        ("nginx:1.0:2", "invalid reference format"),
        ("a//b", "invalid reference format"),
        ("-nginx", "invalid reference format"),
        ("nginx:" + "t" * 129, "invalid reference format"),
        ("../../etc/passwd", "invalid reference format"),
        ("nginx\n", "invalid reference format"),
        ("nginx:1\n", "invalid reference format"),
        ("café", "invalid reference format"),
        ("Nginx", "invalid reference format: repository name (library/Nginx) must be lowercase"),
        ("docker.io/team/App:v1", "invalid reference format: repository name (team/App) must be lowercase"),
        ("a" * 64, f"invalid repository name ({'a' * 64}), cannot specify 64-byte hexadecimal strings"),
        ("nginx@sha256:" + "a" * 63, "invalid checksum digest length"),
        ("nginx@sha512:" + "a" * 128, "unsupported digest algorithm"),
        ("nginx@sha256:" + "A" * 64, "invalid checksum digest format"),
        ("x" * 256, "repository name must not be more than 255 characters"),
    ],
)
def test_malformed_names_are_refused_in_distributions_words(name: str, words: str) -> None:
    with pytest.raises(InvalidReferenceError) as refused:
        parse(name)
    assert str(refused.value) == words


def test_the_sentence_names_the_name() -> None:
    with pytest.raises(InvalidReferenceError) as refused:
        parse("nginx@latest")
    assert parse_error("nginx@latest", refused.value) == (
        'couldn\'t parse image name "nginx@latest": invalid reference format'
    )
