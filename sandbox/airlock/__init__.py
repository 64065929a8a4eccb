"""WHAT LEAVES A SANDBOX.  Files from users' outboxes: taken safely, checked, reviewed by others, released by hash.

    collect.py      outbox → copy → checked. READ THIS FIRST
    outbox.py       what lies in a home, which is a stranger's; beneath.py opens it
    submission.py   a file, its states, and every legal step; pure. store.py has them on disk
    judge.py        runs checks/ in a jail of its own, because the files are strangers'; sketches.py, what of earlier
                    releases it is given
    readable.py     what a file may be made of, by the audit log, and the thresholds of that
    review.py       a steward's word; checking.py, because an approval checks anew; release.py, the last step;
                    settle.py does to the end what a killed job began
    admit.py        the way in, for a user's own files; copying.py, from an open file to a copy and its hash
    answers.py      what a user is told; told.py, the audit log; shown.py, a reviewer

Why it is built so stands in docs/decisions/0008.
"""
