"""CKAN as gunicorn loads it: `CKAN_INI=... gunicorn wsgi:application`, in CKAN's own virtual environment."""

# mypy: ignore-errors
# CKAN is not installed where the type checker runs.

import os

from ckan.cli import CKANConfigLoader
from ckan.config.middleware import make_app

application = make_app(CKANConfigLoader(os.environ["CKAN_INI"]).get_config())
