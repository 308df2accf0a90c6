"""Other packages' estimators, as plugins tagged ``peer``, to be measured beside ours.

``--plugin bench/peers/installed.py`` brings all that are installed, ``--plugin bench/peers/NAME.py`` one. They live in
an environment of their own, made as ``requirements.txt`` says; nothing else imports any of them.
"""
