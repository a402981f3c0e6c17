#!/bin/sh
# What tests and benchmark need of the distribution: real peers (registry, etcd, runc), the makings of images, a load.
# Nothing of it is needed to run a cluster. Services that the packages would start stay off.
set -eu
PACKAGES="bash busybox-static curl dash docker-registry etcd-server fish iproute2 nftables nginx procps python3-flask python3-venv runc skopeo wrk zsh"
# The client out of docker.io, without the daemon that the package is about: extracted, not installed.
DOCKER=/usr/local/lib/pybernetes-tests/docker
missing=""
for package in $PACKAGES; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing="$missing $package"
done
[ -z "$missing" ] && [ -x "$DOCKER" ] && exit 0
guard=/usr/sbin/policy-rc.d
if [ ! -e "$guard" ]; then
    printf '#!/bin/sh\nexit 101\n' > "$guard"
    chmod 755 "$guard"
    trap 'rm -f "$guard"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
if [ -n "$missing" ]; then
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $missing
fi
if [ ! -x "$DOCKER" ]; then
    scratch=$(mktemp -d)
    chmod 755 "$scratch"
    (
        cd "$scratch"
        apt-get download -qq -o APT::Sandbox::User=root docker.io
        dpkg-deb -x docker.io_*.deb .
        # Newer releases have the client in a package of its own.
        if [ ! -e usr/bin/docker ]; then
            apt-get download -qq -o APT::Sandbox::User=root docker-cli
            dpkg-deb -x docker-cli_*.deb .
        fi
    )
    install -D -m 755 "$scratch/usr/bin/docker" "$DOCKER"
    rm -rf "$scratch"
fi
