"""The verbs of ``python -m bench``: one file each, found by its name; the file's first line is its help."""
