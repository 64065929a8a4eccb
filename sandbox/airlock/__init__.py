"""WHAT LEAVES A SANDBOX.  Files from a home's outbox: taken safely, checked, reviewed by a person, released by hash.

checks/   output checks, pure; they run in a jail of their own, because the files are strangers'
"""
