"""Readers: one small file a format. A reader gives a `Table` of texts (or of the types that the file itself has)."""
