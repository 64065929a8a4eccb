"""Scripts that run inside the jail, handed in as files: they import nothing of the DataLab."""
