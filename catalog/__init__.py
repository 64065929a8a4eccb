"""WHAT EXISTS, AND ASKING IT: descriptors, the lake, queries, the portal, DCAT and CKAN.

It may import `policies`; it must never import `ingest` or `sandbox`: a catalogue serves what others committed.
"""
