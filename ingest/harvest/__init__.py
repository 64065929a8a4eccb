"""Other portals' catalogues → drafts of descriptors, and keeping in step those that were adopted.

    run.py        ask → draft what is new → bring what stands in step → mark what is gone → report.  READ THIS FIRST
    words/        what portals write → our licences, themes, frequencies, languages; pure
    record.py     what a portal says of one dataset, in its own words
    portals/      one small file a kind: ckan, udata, opendatasoft, dcat, csw; answers → records. kinds.py finds which
    reading.py    a catalogue as it is read: each dataset once, and whether all of it came
    drafting.py   a record → a draft: what is known, what is guessed, what is missing, and why; pure
    yamltext.py   a draft → the YAML that a steward reads
    merge.py      harvested last time, the steward's file, the portal now → what to write and what to tell; pure
    edit.py       such changes in the text of a file, comments and form kept; pure
    shelf.py      the lab's files that a portal's datasets stand in, found by identifier
    memory.py     what was harvested last time: `var/harvest/`
    settle.py     one dataset → what becomes of its file
    report.py     what a harvest did

A draft lies in `drafts/`, where nothing reads it but a harvest. Every request goes through `asking.py`, and so through
the guard and the bounds of `ingest.sources.web`.
"""
