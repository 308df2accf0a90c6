"""All peers whose package is installed, as one plugin; those that are not are simply not there."""

from importlib.util import find_spec
from pathlib import Path

import estimators

PEERS = {"jet": "jet_for_pytorch.py", "curvlinops": "curvlinops_for_pytorch.py", "skerch": "skerch_sketches.py"}

found = [file for package, file in PEERS.items() if find_spec(package) is not None]
if not found:
    raise ImportError(f"none of {', '.join(PEERS)} is installed here; bench/peers/requirements.txt says how")
for file in found:
    estimators.load_file(Path(__file__).parent / file)
