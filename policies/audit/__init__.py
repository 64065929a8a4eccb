"""WHO OPENED WHAT?  The audit log: every door writes a line before it opens, and fails closed when it cannot.

    event.py    Event, Opened: what one line tells
    chain.py    an event → a line that carries the hash of the one before and a MAC; pure
    log.py      AuditLog.write, .write_all: the line is on disk when they return
    verify.py   finds every edit, deletion, reorder, insertion and truncation
    reading.py  the events again, for `datalab audit show`

A door has a Lab, and a Lab has the log:

    lab.audit.write(
        Event(
            what="query",
            door="gateway",
            who="user:ana",
            editions=(Opened(dataset="irve", edition="open", resource="bornes", version=3),),
            purpose="mobility",
            origin="192.0.2.7",
            sha256=sha256_of(sql),
        )
    )

An event has no room for the text of a query, a token or a value of a row: SQL goes in as its SHA-256. Why the log is
built as it is stands in docs/decisions/0007.
"""
