"""Inside the jail: a Jupyter kernel for SQL. Each cell is one `lab.sql`; it imports nothing of the DataLab but `lab`.

kernel.py      what JupyterLab asks of a kernel. READ THIS FIRST
shown.py       rows → what a cell shows; pure
complete.py    what a word under the cursor may become; pure
"""
