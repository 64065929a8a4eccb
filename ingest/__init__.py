"""HOW DATA GET IN: fetch → read → type → commit → editions. Read `run.py` first.

It may import `catalog` and `policies`; it must never import `sandbox`.
"""
