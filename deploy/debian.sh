#!/bin/bash
# Install the named packages of Debian or Ubuntu. Who asks starts its own servers, so those of new packages are not started,
# now or at a boot.
set -euo pipefail

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

echo "installing Debian packages: $*"
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
    as_root chmod +x $policy
    trap "as_root rm -f $policy" EXIT
fi
as_root apt-get update -q >/dev/null
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends "$@" >/dev/null
command -v systemctl >/dev/null || exit 0
for package in "$@"; do
    case $package in postgresql | redis-server | mariadb-server | mosquitto)
        as_root systemctl disable -q "${package/mariadb-server/mariadb}" || true
    esac
done
