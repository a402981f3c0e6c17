#!/bin/sh
# What the tests need of the distribution: real peers (registry, etcd, runc, containerd) and the makings of images.
# Nothing of it is needed to run a cluster. Services that the packages would start stay off.
set -eu
PACKAGES="bash busybox-static curl dash docker-registry etcd-server fish iproute2 nftables nginx procps runc skopeo zsh"
missing=""
for package in $PACKAGES; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
guard=/usr/sbin/policy-rc.d
if [ ! -e "$guard" ]; then
    printf '#!/bin/sh\nexit 101\n' > "$guard"
    chmod 755 "$guard"
    trap 'rm -f "$guard"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing
