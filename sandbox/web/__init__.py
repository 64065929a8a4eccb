"""THE AIRLOCK'S PAGES.  In the portal, for who is signed in: what they have asked for, and for stewards what waits.

    app.py         which address answers what
    identity.py    who somebody is, as whoever mounts these pages says it; never a header
    posted.py      what a form may say, and whether it came from a page of ours; upload.py, of one with a file
    view.py        a submission as its requester reads it, and as a steward does
    texts.py       every word, in both languages
    templates/     laid out in the portal's layout

What is decided here is decided by sandbox/airlock/review.py, by the rules of the command line.
"""
