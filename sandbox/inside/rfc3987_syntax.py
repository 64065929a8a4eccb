"""Inside a jail: in the place of a library that compiles a grammar as it is loaded, for three seconds and 15 MB.

jsonschema takes it where it is there, to tell whether a text is an IRI (jsonschema/_format.py, 4.26). No schema of a
notebook or of Altair says `"format": "iri"`; one that does is not held to it.
"""

raise ImportError("it is left out of sandboxes: it takes three seconds to load, and nothing here asks it")
