"""What is kept depends on the code that computed it: an edit must not be answered by an old reference."""

from bench import cache


def test_an_edit_of_the_code_changes_every_path(monkeypatch, tmp_path):
    before = cache.bundle_path("references", {"a": 1}), cache.array_path("data", {"a": 1})
    assert before == (cache.bundle_path("references", {"a": 1}), cache.array_path("data", {"a": 1}))
    monkeypatch.setattr(cache, "code", lambda: "edited")
    assert cache.bundle_path("references", {"a": 1}) != before[0]
    assert cache.array_path("data", {"a": 1}) != before[1]


def test_the_code_is_that_of_data_problems_exact_derivatives_and_references(monkeypatch, tmp_path):
    for folder in cache.CODE:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "module.py").write_text("x = 1\n")
    monkeypatch.setattr(cache, "__file__", str(tmp_path / "cache.py"))
    hashes = {cache.code.__wrapped__()}
    for folder in cache.CODE:
        (tmp_path / folder / "module.py").write_text("x = 2\n")
        hashes.add(cache.code.__wrapped__())
    assert len(hashes) == 1 + len(cache.CODE)
