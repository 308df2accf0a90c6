"""Rows from a store that means harm, or from a careless plugin."""

from __future__ import annotations

import json
from typing import Any

from tests.reports.synthetic_rows import synthetic_rows

NAMES = (
    "<script>window.harmed = 1</script>",
    '"><img src=x onerror="window.harmed = 2">',
    "</script><script>window.harmed = 3</script>",
    "'; window.harmed = 4; //",
    "${window.harmed = 5}",
    "{{ 7 * 7 }}{% raw %}",
    "__proto__",
    "constructor",
    "@x_title",
    "line\nbreak\r\n\ttab\u0000nul\u2028separator",
    "\u202eright-to-left\u202e \u05d0\u05d1\u05d2",
    "n" * 10_000,
    "=HYPERLINK(\"http://evil.invalid\")",
    "lone \ud800 surrogate",
    "../../escape",
    "",
)  # fmt: skip


def hostile_rows() -> list[dict[str, Any]]:
    """Synthetic rows, renamed; their reasons, options, machines and words are hostile too."""
    rows = []
    for place, row in enumerate(synthetic_rows()):
        name = NAMES[place % len(NAMES)]
        rows.append(
            row
            | {
                "estimator": name,
                "options": {name[:80]: name[:200], "probes": row["probes"]},
                "model": "<b>bold</b>",
                "data": name[:300],
                "machine": json.dumps({"cpu": "<script>window.harmed = 6</script>", name[:50]: [name[:50]]}),
                "commit": "<i>x</i>",
                "torch_version": '2.13"><script>window.harmed = 7</script>',
                "reason": None if row["outcome"] == "ok" else f"{name[:500]}\n</pre><script>window.harmed = 8</script>",
                "output": "</pre><script>window.harmed = 9</script>",
            }
        )
    return rows
