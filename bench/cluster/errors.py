"""What keeps a sweep from running on a cluster, in one line."""


class ClusterError(RuntimeError):
    """The cluster cannot be used, or is lost; the message is one line that says what to do."""
