"""Inside the jail: one engine that answers SQL over the descriptor it was handed. Handed in as a package of files.

It stands beside `lab` (the same views) and `answers` (catalog/answers.py), and imports no other file of the DataLab.
"""
