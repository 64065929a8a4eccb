"""SQL for those outside: HTTP in front, one jailed engine a session behind, and the audit log between.

    app.py       which address answers what
    asked.py     a request → who asks, what, for which purpose, in which form
    access.py    what they may read now, and whether it still holds
    pool.py      whose turn it is, and which engine answers
    engine.py    one jailed engine, asked and ended
    jail.py      what is in its jail, and its start

A token says who asks (tokens.py). What an engine can read is what is mounted into its jail: nothing here rewrites SQL.
"""
