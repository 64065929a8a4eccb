#!/bin/bash
# Install the servers that tests/fixtures_servers.py starts: PostgreSQL, MariaDB, Mosquitto and MapServer, from Debian or Ubuntu.
# What is there already is left alone. The tests start their own, so Debian's are not started, now or at a boot.
set -euo pipefail

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

PATH=$PATH:/usr/sbin
need=()
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null || need+=(postgresql)
command -v mariadbd >/dev/null || need+=(mariadb-server)
command -v mosquitto >/dev/null || need+=(mosquitto)
command -v mapserv >/dev/null || [ -x /usr/lib/cgi-bin/mapserv ] || need+=(cgi-mapserver)
[ ${#need[@]} = 0 ] && exit 0
echo "installing Debian packages: ${need[*]}"
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
    as_root chmod +x $policy
    trap "as_root rm -f $policy" EXIT
fi
as_root apt-get update -q >/dev/null
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends "${need[@]}" >/dev/null
for service in "${need[@]}"; do
    service=${service%-server} # mariadb-server → mariadb
    [ "$service" = cgi-mapserver ] || ! command -v systemctl >/dev/null || as_root systemctl disable -q "$service" || true
done
