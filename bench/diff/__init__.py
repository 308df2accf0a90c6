"""What changed between two versions: two commits measured interleaved, or two stores compared through their anchors."""

from bench.diff.change import Change as Change
from bench.diff.commits import between_commits as between_commits
from bench.diff.stores import between_stores as between_stores

__all__ = ["Change", "between_commits", "between_stores"]
