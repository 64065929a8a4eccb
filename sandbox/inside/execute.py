"""Inside the jail: a notebook on standard input → the executed notebook on standard output.

Exit codes: 0 all cells ran; 3 a cell failed; 4 the kernel died, or never started. The notebook is written in each case.
"""

import os
import sys

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

CELL_FAILED, KERNEL_DIED = 3, 4


def main() -> int:
    """Execute one notebook from top to bottom; the first failing cell ends it."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # the kernel inherits 1 and 2, and what it writes there is not the notebook
    notebook = nbformat.read(sys.stdin, as_version=4)  # type: ignore[no-untyped-call]
    client = NotebookClient(notebook, timeout=None, kernel_name=_kernel(notebook), allow_stdin=False)
    code = 0
    try:
        client.execute()
    except CellExecutionError:
        code = CELL_FAILED
    except (DeadKernelError, RuntimeError) as error:
        sys.stderr.write(f"{error}\n")
        code = KERNEL_DIED
    with answer:
        nbformat.write(notebook, answer)  # type: ignore[no-untyped-call]
    return code


def _kernel(notebook: nbformat.NotebookNode) -> str:
    """The notebook's own kernel, if there is one of that name here: else Python."""
    named = str(notebook.metadata.get("kernelspec", {}).get("name", ""))
    return named if named in KernelSpecManager().find_kernel_specs() else "python3"


if __name__ == "__main__":
    sys.exit(main())
