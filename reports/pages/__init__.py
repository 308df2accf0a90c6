"""From frames to HTML: templates, embedded data and the page's own script, in one folder that opens from disk."""
