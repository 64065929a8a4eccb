"""Which tables join on which columns, found from the data themselves.

codes.py      which columns may hold codes, and what their names say that they are; pure
sketches.py   a table's file → sketches of its codes, kept beside the lake
coded.py      the tables that are shown, with their sketches
join.py       two tables → on what they join, and how well.  READ THIS FIRST
"""
