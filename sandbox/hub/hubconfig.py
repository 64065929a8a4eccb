"""What JupyterHub reads as its configuration file: the lab named by DATALAB_LAB, on the port DATALAB_HUB_PORT."""

import atexit
import os
from pathlib import Path
from typing import Any

from catalog.lab import Lab
from catalog.settings import CatalogSettings
from sandbox.hub import tokens
from sandbox.hub.config import hub_config
from sandbox.hub.early import Pool
from sandbox.hub.front import Front
from sandbox.hub.places import places_of
from sandbox.hub.settings import HubSettings
from sandbox.hub.spawner import LabSpawner

lab = Lab.open(Path(os.environ["DATALAB_LAB"]))
settings = lab.section("hub", HubSettings)
places = places_of(lab)
front = Front.of(int(os.environ["DATALAB_HUB_PORT"]), settings, lab.section("catalog", CatalogSettings))
c: Any = get_config()  # type: ignore[name-defined]  # noqa: F821  JupyterHub puts it there
for name, options in hub_config(lab, settings, places, tokens.read(places), front).items():
    c[name].update(options)
LabSpawner.pool = Pool(lab, settings.warm)
LabSpawner.pool.fill_soon()
atexit.register(LabSpawner.pool.close)
