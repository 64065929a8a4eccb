"""`datalab add URL|FILE`: one dataset → its descriptor, and a policy that grants nothing yet.

look.py     fetch and read each table as an ingest would: columns, types, where and when the rows lie
found.py    what was seen → what a descriptor may say of it: territory, period, titles of columns; pure
answers.py  what the steward says by flags or when asked; pure
policy.py   the policy's first text; pure
run.py      the flow.  READ THIS FIRST
"""
