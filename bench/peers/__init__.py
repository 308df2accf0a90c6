"""Other packages' estimators, as plugins, to be measured beside ours: ``--plugin bench/peers/NAME.py``.

They need environments of their own, for they bring another torch: see ``requirements.txt`` here. None is imported by
anything else, and one that is not installed is simply not there.
"""
