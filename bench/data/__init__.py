"""Data sources: real tables first, synthetic next. Importing a source's file registers it."""

from bench.data import digits as digits
from bench.data import far_mode as far_mode
from bench.data import gaussian as gaussian
from bench.data import tables as tables
from bench.data import toys as toys
from bench.data.source import DATA as DATA
from bench.data.source import Source as Source
from bench.data.source import check as check
from bench.data.source import prepare as prepare
from bench.data.source import register as register
from bench.data.source import rows as rows

__all__ = ["DATA", "Source", "check", "prepare", "register", "rows"]
