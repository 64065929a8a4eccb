"""How people find datasets: an index of stems in memory, made of what some principals may open and nothing else.

words.py      a text → its words, stems and parts; French and English
synonyms.py   words that mean the same: the shipped list, and the lab's
index.py      entries → the index
ranking.py    what a dataset is worth beside its words: fresh, complete, used
uses.py       how often each dataset was downloaded
facets.py     counts by theme, publisher, licence, format, territory, freshness
find.py       a search → datasets, best first.  READ THIS FIRST
similar.py    a dataset → those that are like it
"""
