"""A CKAN to look at, until Ctrl-C: `python -m deploy.ckan` from the root of the repository, or `make ckan`."""

import os
import signal
import sys
import time

from deploy.ckan.server import StackError
from deploy.ckan.stack import CACHE, CkanStack

TOKEN_FILE = CACHE / "token"


def show(ckan: CkanStack) -> None:
    """Print where CKAN is and how to get in; write its token where only this user can read it."""
    TOKEN_FILE.unlink(missing_ok=True)
    with os.fdopen(os.open(TOKEN_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(ckan.token)
    print(f"""
CKAN is at   {ckan.url}
log in as    admin, password {ckan.password}
API token    {ckan.token}
             also in {TOKEN_FILE}
logs in      {ckan.directory}

It is empty, and nothing put into it is kept. Ctrl-C stops it.""")


def main() -> int:
    """Return an exit code: 0 after Ctrl-C, 1 when CKAN could not start or a server ended by itself."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with CkanStack(say=print) as ckan:
            show(ckan)
            while True:
                ckan.check()
                time.sleep(1)
    except KeyboardInterrupt:
        print("\nstopped")
        return 0
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        TOKEN_FILE.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
