"""Grants that come and go while a sandbox runs.

changes.py     what is shown, and what is granted → what goes and what comes; pure
placing.py     what goes or comes → an order
helper.py      an order, and the process of milliseconds that carries it out in the jail's view (mounting.py)
signs.py       whether anything has changed that a grant hangs on
standing.py    what a sandbox shows, read from it
watch.py       one sandbox, looked at: changes, told to the audit log, carried out. READ THIS FIRST
    many.py        all sandboxes of a lab, watched by one process
"""
