"""The figure that plants changes for `diff`: its plants fit today's files, and its judgement of what was named."""

import pytest

from bench.diff.change import WORDS
from bench.figures.planted_diff import ROOT, _tell_planted, plants

STEP_S, PEAK_BYTES = 0.001, 100_000
WANTED = plants(STEP_S, PEAK_BYTES, slower=0.05, heavier=0.10, biased=0.01)


def _named(plant, word, ratio=1.1):
    facts = {"label": plant.estimator, "estimator": plant.estimator, "measure": plant.measure, "word": word}
    return {**facts, "ratio": ratio, "low": ratio, "high": ratio}


ALL = [_named(plant, WORDS[plant.measure][0]) for plant in WANTED]


def test_each_plant_fits_todays_file_and_is_what_it_says(tmp_path):
    assert {plant.measure for plant in WANTED} == set(WORDS)
    for plant in WANTED:
        (tmp_path / plant.file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / plant.file).write_text((ROOT / plant.file).read_text())
        plant.into(tmp_path)
    texts = {plant.measure: (tmp_path / plant.file).read_text() for plant in WANTED}
    for text in texts.values():
        compile(text, "planted", "exec")
    assert f"time.perf_counter() + {0.05 * STEP_S!r}" in texts["time"]
    assert f"torch.empty({PEAK_BYTES // 10 // 4}, dtype=torch.float32)" in texts["memory"]
    assert "/ (probes / 1.01)" in texts["bias"]


def test_all_plants_named_and_nothing_else_is_right(capsys):
    assert _tell_planted("run", [*ALL, _named(WANTED[0], "unclear") | {"estimator": "dsm"}], WANTED, 1.0)
    assert capsys.readouterr().out.count(" named: ") == len(WANTED)


@pytest.mark.parametrize("missed", range(3))
@pytest.mark.parametrize("kind", ["better", "same", "unclear", "absent"])
def test_a_plant_that_is_not_named_is_a_miss(missed, kind, capsys):
    plant = WANTED[missed]
    word = WORDS[plant.measure][1] if kind == "better" else kind
    changes = [*ALL[:missed], *([] if kind == "absent" else [_named(plant, word)]), *ALL[missed + 1 :]]
    assert not _tell_planted("run", changes, WANTED, 1.0)
    assert capsys.readouterr().out.count("NOT NAMED") == 1


@pytest.mark.parametrize("measure", WORDS)
@pytest.mark.parametrize("worse", [True, False])
def test_what_was_not_planted_is_a_false_alarm(measure, worse, capsys):
    change = {**ALL[0], "estimator": "dsm", "measure": measure, "word": WORDS[measure][0 if worse else 1]}
    assert not _tell_planted("run", [*ALL, change], WANTED, 1.0)
    assert "not planted" in capsys.readouterr().out
