#!/bin/bash
# Install what deploy/ckan/stack.py starts: PostgreSQL, Redis and a JDK from Debian, CKAN from PyPI into
# .cache/ckan/venv, Solr from Maven Central into .cache/ckan/solr. What is there already is left alone.
# Without Maven Central it says so and succeeds: the tests of CKAN then skip, with that reason.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=$here/../../.cache/ckan
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
exec 9>"$cache/.lock"
flock 9  # two set-ups at once would write the same files

made_of() { sha256sum <"$here/$1" | cut -d' ' -f1; }
is_made_of() { [ "$(cat "$cache/$1/.made-of" 2>/dev/null)" = "$(made_of "$2")" ]; }

install_debian_packages() {
    local need=()
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null || need+=(postgresql)
    command -v redis-server >/dev/null || need+=(redis-server)
    compgen -G '/usr/lib/*/libmagic.so.1' >/dev/null || need+=(libmagic1)
    command -v javac >/dev/null || need+=(default-jdk-headless)  # SolrServer.java is compiled as it starts
    is_made_of solr pom.xml || command -v mvn >/dev/null || need+=(maven)
    if ! is_made_of venv requirements.txt; then  # psycopg2 is compiled
        command -v gcc >/dev/null || need+=(gcc)
        command -v pg_config >/dev/null || need+=(libpq-dev)
        python3 -c 'import ensurepip' 2>/dev/null || need+=(python3-venv)
        [ -e "$(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" ] || need+=(python3-dev)
    fi
    [ ${#need[@]} = 0 ] || "$here/../debian.sh" "${need[@]}"
}

install_ckan() {
    is_made_of venv requirements.txt && return
    echo "installing CKAN into .cache/ckan/venv"
    rm -rf "$cache/venv"
    python3 -m venv "$cache/venv"
    "$cache/venv/bin/pip" install -qq --disable-pip-version-check --require-hashes -r "$here/requirements.txt"
    made_of requirements.txt >"$cache/venv/.made-of"
}

install_solr() {
    is_made_of solr pom.xml && return
    echo "installing Solr into .cache/ckan/solr"
    rm -rf "$cache/solr" "$cache/solr.new"
    # -C: a jar whose checksum is wrong is an error
    if ! timeout 500 mvn -q -B -C -f "$here/pom.xml" dependency:copy-dependencies \
        -DoutputDirectory="$cache/solr.new" >"$cache/maven.log" 2>&1; then
        echo "Solr could not be had from Maven Central, so CKAN cannot start: see .cache/ckan/maven.log" >&2
        return
    fi
    made_of pom.xml >"$cache/solr.new/.made-of"
    mv "$cache/solr.new" "$cache/solr"
}

install_debian_packages
install_ckan
install_solr
