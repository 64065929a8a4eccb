#!/bin/bash
# Install the servers that tests/fixtures_servers.py starts (PostgreSQL, MariaDB, Mosquitto and MapServer), the browser of
# tests/test_sandbox_hub_browser.py, and R, whose kernel tests/test_sandbox_rkernel.py asks, from Debian or Ubuntu.
# What is there already is left alone.
set -euo pipefail

PATH=$PATH:/usr/sbin
need=()
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null || need+=(postgresql)
command -v mariadbd >/dev/null || need+=(mariadb-server)
command -v mosquitto >/dev/null || need+=(mosquitto)
command -v mapserv >/dev/null || [ -x /usr/lib/cgi-bin/mapserv ] || need+=(cgi-mapserver)
command -v chromium >/dev/null || need+=(chromium)
[ -d /usr/share/jupyter/kernels/ir ] || need+=(r-base-core r-cran-irkernel)
[ ${#need[@]} = 0 ] || "$(dirname "$0")/debian.sh" "${need[@]}"
