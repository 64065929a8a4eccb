"""What a notebook notices of grants that come and go while it runs; and who watches, a thread or a process for many."""

import os
import queue
import threading

from test_sandbox_live import TO_ADA, Box, as_root, grant, revoke, running

from sandbox.live.many import Running, follow
from sandbox.live.watch import watching

ASK = """
import sys, lab
for line in sys.stdin:
    try:
        print(eval(line), flush=True)
    except Exception as error:
        print(f"{type(error).__name__}: {error}".splitlines()[0], flush=True)
"""


@as_root
def test_import_lab_shows_what_comes_and_says_what_went(lab):
    with running(lab, "python", "-c", ASK) as jailed:
        box = Box(lab, jailed, talks=False)

        def ask(expression):
            jailed.bwrap.stdin.write(f"{expression}\n".encode())
            jailed.bwrap.stdin.flush()
            return jailed.bwrap.stdout.readline().decode().strip()

        names = "[row[:2] for row in lab.datasets().fetchall()]"
        assert ask("lab.sql('CREATE TABLE mine AS SELECT 1 AS n') and 'made'") == "made"
        assert ask(names) == "[('irve', 'open')]"
        assert ask("lab.table('secret.bornes')").startswith("LookupError: there is no table 'secret.bornes'")
        box.watch.look()
        grant(lab)
        box.watch.look()
        assert ask(names) == "[('irve', 'open'), ('secret', 'raw')]"
        assert ask("lab.sql('SELECT id FROM secret.bornes').fetchall()") == "[('s',)]"
        revoke(lab)
        box.watch.look()
        assert ask(names) == "[('irve', 'open')]"
        for asked in ("lab.table('secret.bornes')", "lab.sql('SELECT id FROM secret.bornes')"):
            assert ask(asked).startswith("LookupError: secret/raw is no longer granted to you: it was taken out")
        assert ask("lab.sql('SELECT id FROM nowhere.bornes')").startswith("CatalogException")
        assert ask("lab.sql('SELECT n FROM mine').fetchall()") == "[(1,)]"
        assert ask("lab.sql('SELECT count(*) FROM irve.bornes').fetchall()") == "[(2,)]"


@as_root
def test_a_thread_watches_and_follows_a_policy_that_is_replaced_by_a_rename(lab):
    said = queue.Queue()
    with running(lab) as jailed, watching(lab, "ada", None, jailed, warn=said.put, end=said.put):
        box = Box(lab, jailed)
        path = lab.root / "policies" / "secret.yaml"
        new = path.with_suffix(".new")
        new.write_text(path.read_text() + TO_ADA)
        new.replace(path)
        assert said.get(timeout=60) == "secret/raw: granted to ada, and there in the sandbox"
        assert box.tables() == ["irve/open", "secret/raw"]
        revoke(lab)
        assert said.get(timeout=60) == "secret/raw: no longer granted to ada, and gone from the sandbox"
    assert not any(thread.name == "grants" for thread in threading.enumerate())


@as_root
def test_one_process_watches_many_sandboxes_and_finds_those_that_come_later(lab):
    said = queue.Queue()
    there, until = [], os.pipe()
    with running(lab) as one, running(lab) as other:
        boxes = [Box(lab, one), Box(lab, other)]
        there.append(Running(one.pid, "ada", None))
        follower = threading.Thread(
            target=follow, args=(lab, lambda: list(there), lambda who, what: said.put((who.pid, what)), until[0])
        )
        follower.start()
        try:
            grant(lab)
            assert said.get(timeout=60) == (one.pid, "secret/raw: granted to ada, and there in the sandbox")
            there.append(Running(other.pid, "ada", None))
            assert said.get(timeout=60) == (other.pid, "secret/raw: granted to ada, and there in the sandbox")
            assert [box.tables() for box in boxes] == [["irve/open", "secret/raw"]] * 2
            revoke(lab)
            assert {said.get(timeout=60)[0], said.get(timeout=60)[0]} == {one.pid, other.pid}
            assert [box.tables() for box in boxes] == [["irve/open"]] * 2
        finally:
            os.close(until[1])
            follower.join(60)
            os.close(until[0])
    assert not follower.is_alive()
