"""A sweep on an existing Dask cluster: who takes part, what travels, who measures, and what becomes of lost workers.

`coordinator` streams units to workers and writes rows; `duty` runs in a Dask worker and relays; `foreman` is the
process beside it that measures, exactly as a local run does.
"""
