#!/bin/bash
# Install what the DataLab needs from Debian or Ubuntu; what is there already is left alone, and so is everything else.
set -euo pipefail

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

need=()
command -v bwrap >/dev/null || need+=(bubblewrap)
PATH="$PATH:/usr/sbin:/sbin" command -v mkfs.ext4 >/dev/null || need+=(e2fsprogs)  # homes of a certain size
compgen -G '/usr/lib/*/libseccomp.so.2' >/dev/null || need+=(libseccomp2)
python3 -c 'import ensurepip' 2>/dev/null || need+=(python3-venv)
if [ "${DATALAB_R:-0}" = 1 ]; then  # the kernel for R; sandboxes see it as soon as it is there
  dpkg -s r-cran-irkernel >/dev/null 2>&1 || need+=(r-base-core r-cran-irkernel)
fi
[ ${#need[@]} = 0 ] && exit 0
echo "installing Debian packages: ${need[*]}"
as_root apt-get update -q >/dev/null
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends "${need[@]}" >/dev/null
