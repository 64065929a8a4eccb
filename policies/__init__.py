"""MAY THEY?  Editions, grants, and the one function that answers for every door.

The bottom room: it must never import `catalog`, `ingest` or `sandbox`. The error tree and the reader of YAML
documents live here too, because every other room needs them and this is the only room all may import.
"""
