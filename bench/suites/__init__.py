"""asv's benchmark suite: what is followed from commit to commit. asv imports every module in this folder, and no other.

asv installs `estimators` from each commit into an environment of its own and imports this folder from the working tree,
so the yardstick stays still while what it measures changes. Nothing here computes, or imports torch, at import: asv's
fork-server would deadlock or be slow.
"""

import importlib.util
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))  # appended, never inserted: the checkout's estimators must not shadow the installed ones


def refuse_other_estimators() -> None:
    """Inside an asv environment, `estimators` has to be the one installed there.

    Raises:
        ImportError: it is another one, whose numbers would be filed under this commit.
    """
    environment = os.environ.get("ASV_ENV_DIR")
    if not environment or os.environ.get("ASV_ENV_TYPE") == "existing":
        return
    spec = importlib.util.find_spec("estimators")
    if spec is None or spec.origin is None:
        return  # a commit from before there were any: each benchmark says so itself
    found = Path(spec.origin).resolve()
    if Path(environment).resolve() not in found.parents:
        raise ImportError(f"asv measures the commit installed in {environment}, but `estimators` comes from {found}")


refuse_other_estimators()
