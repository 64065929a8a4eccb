"""WHERE PEOPLE WORK.  A command, a notebook or a JupyterLab in a jail that sees only granted editions.

This room may import `catalog` and `policies`; it must never import `ingest`. What runs inside the jail is not this
room: `lab/` and the two scripts of `inside/` are handed in as files, and import nothing of the DataLab.

Read `profile.py` first (what a jail holds), then `jail.py` (how bubblewrap is told), then `process.py` (how it is
started and ended). Without a working bubblewrap every command refuses; there is no way to run without a jail.
"""
