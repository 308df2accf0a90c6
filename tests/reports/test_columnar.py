"""Embedded data: exact enough, compact, and unable to end the script element it stands in."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from reports.frames.columnar import columnar, embedded


def decoded(frame):
    told = json.loads(embedded(columnar(frame)))
    columns = {}
    for name, column in told["columns"].items():
        if "numbers" in column:
            columns[name] = column["numbers"]
        elif "codes" in column:
            columns[name] = [column["values"][code] for code in column["codes"]]
        else:
            columns[name] = [column["constant"]] * told["length"]
    return columns


def test_values_come_back_to_six_digits():
    values = np.concatenate([np.random.default_rng(0).lognormal(0, 20, 500), [0.0, -3.25, 1e300, 5e-300, 123456789.0]])
    back = decoded(pd.DataFrame({"x": values}))["x"]
    np.testing.assert_allclose(np.array(back, dtype=float), values, rtol=5.1e-6)


def test_whole_numbers_keep_all_of_their_digits():
    seeds, peaks = [1234567891, 0, 20261125], [818_828.0, np.nan, 1_472_123_457.0]
    assert decoded(pd.DataFrame({"seed": seeds, "peak_step_bytes": peaks})) == {
        "seed": seeds, "peak_step_bytes": [818_828, None, 1_472_123_457],
    }  # fmt: skip


def test_what_is_no_number_is_null_and_types_stay_apart():
    frame = pd.DataFrame(
        {"x": [np.nan, np.inf, 1.0], "flag": pd.Series([True, None, 1], dtype=object), "word": ["a", None, "a"]}
    )
    assert decoded(frame) == {"x": [None, None, 1], "flag": [True, None, 1], "word": ["a", None, "a"]}
    assert decoded(frame)["flag"][0] is True
    assert decoded(frame)["flag"][2] is not True


def test_constants_are_told_once_and_nested_values_as_json():
    told = columnar(pd.DataFrame({"c": ["same"] * 1000, "o": [{"b": 1, "a": 2}] * 1000}))
    assert told["columns"] == {"c": {"constant": "same"}, "o": {"constant": '{"a": 2, "b": 1}'}}


def test_no_text_ends_the_script():
    text = embedded({"x": "</script><script>alert(1)</script><!--\u2028&"})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text)["x"].startswith("</script>")
