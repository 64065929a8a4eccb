"""PACKAGES WITHOUT A NETWORK.  What the lab has allowed of a Python package index, passed through and written down.

pip in the jail → 127.0.0.1 of the jail (inside/forward.py) → unix socket → here → the index

    service.py     the socket of one user, and what their jail is given of it. READ THIS FIRST
    app.py         the two addresses that it answers
    index.py       what an index offers → what we offer; pure. names.py: names, and the versions in files' names
    fetch.py       one GET: whither, how much, how long; cache.py: files that have their hash
    settings.py    the section [packages] of datalab.toml

Nothing is asked of any host but the index and the hosts of its files, and nothing is passed on that has not the SHA-256
which the index's page says.
"""
