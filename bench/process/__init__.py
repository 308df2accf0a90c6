"""Worker processes: a fork-server that has imported torch and computed nothing, and the limits set on its children."""
