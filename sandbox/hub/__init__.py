"""The front door: JupyterHub's logins, users and groups, and a proxy before everything that the lab shows.

    browser → proxy (one port of 127.0.0.1) → portal | gateway | Hub | a user's sandbox, each on a unix socket

    settings.py    the section [hub] of datalab.toml
    places.py      where sockets, tokens, logs and the Hub's own files lie
    serve.py       `datalab serve`: the six children, watched (watch.py), their logs bounded (logs.py)
    front.py       which address is whose
    config.py      the lab's settings → all of JupyterHub's configuration, pure; roles.py; hubconfig.py, app.py,
                   proxy.py
    accounts.py    local accounts; confusable.py, throttle.py; login.py is how the Hub asks them, oidc.py the other
                   way (signed.py), membership.py what they share
    spawner.py     a sandbox for a user of the Hub: choices.py, form.py, projects.py; launch.py starts its keeper
    early.py       keepers that wait, some with a warm jail; zygote.py is what they are forked from
    grants.py      keeps what runs to what is granted now
    outboxes.py    takes what users ask to let out
    keeper.py      holds it, a process of its own: order.py, held.py, relay.py, signals.py, use.py
    client.py      how portal and gateway ask the Hub who somebody is; signin.py is the portal for who is signed in
    cluster.py     the same grants for KubeSpawner and BatchSpawner

The Hub decides who somebody is, never what they may open: that is asked of `policies`, at every door.
"""
