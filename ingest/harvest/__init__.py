"""Other portals' catalogues → drafts of descriptors, and what becomes of those that were adopted.

words/        what portals write → our licences, themes, frequencies, languages; pure
record.py     what a portal says of one dataset, in its own words
portals/      one small file a kind: ckan, udata, opendatasoft, dcat, csw; answers → records
drafting.py   a record → a draft: what is known, what is guessed, what is missing, and why; pure
yamltext.py   a draft → the YAML that a steward reads
"""
