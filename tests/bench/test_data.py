"""Data: every step of the preprocessing, any dimension, the cache."""

import numpy as np
import pytest
import torch

from bench import cache, data
from bench.data import digits, preprocessing


@pytest.fixture(autouse=True, scope="module")
def cache_folder(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("ESTIMATOR_BENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


def rows(name, dim, batch, seed=0):
    data.prepare(name, dim, batch)
    return data.rows(name, dim, batch, torch.Generator().manual_seed(seed))


def test_dequantise_spreads_each_level_over_its_own_bin():
    levels = np.repeat(np.arange(4), 1000).reshape(4, 1000)
    unit = preprocessing.dequantise(levels, 4, np.random.default_rng(0))
    assert (np.floor(4 * unit) == levels).all() and unit.min() >= 0 and unit.max() < 1
    assert np.allclose(unit.mean(1), (np.arange(4) + 0.5) / 4, atol=0.01)


def test_logit_is_inverted_by_the_sigmoid():
    p = np.linspace(0, 1, 11)
    sigmoid = 1 / (1 + np.exp(-preprocessing.logit(p, 0.01)))
    assert np.allclose((sigmoid - 0.01) / 0.98, p) and np.isfinite(preprocessing.logit(p)).all()


def test_standardise_leaves_constant_columns_finite():
    table = np.column_stack([np.arange(5.0), np.ones(5)])
    assert np.allclose(preprocessing.standardise(table)[:, 1], 0)
    assert preprocessing.standardise(table)[:, 0].std() == pytest.approx(1)


def test_whitened_components_have_identity_covariance_and_a_fixed_sign():
    table = np.random.default_rng(0).normal(size=(200, 6)) @ np.random.default_rng(1).normal(size=(6, 6))
    white = preprocessing.whitened_components(table, 4)
    assert np.allclose(white.T @ white / 200, np.eye(4), atol=1e-10)
    assert np.allclose(preprocessing.whitened_components(table[:, ::-1], 4), white, atol=1e-9)


def test_resize_keeps_constants_and_linear_ramps_inside():
    ramp = np.tile(np.arange(8.0), (1, 8, 1))
    large = preprocessing.resize(ramp, 16)
    assert np.allclose(preprocessing.resize(np.ones((2, 8, 8)), 14), 1)
    assert np.allclose(np.diff(large[0, 3, 1:-1]), 0.5) and (large[0] == large[0, 0]).all()


@pytest.mark.parametrize("dim", [1, 2, 16, 64, 100, 196, 300, 784])
def test_digits_have_mean_zero_and_variance_one_in_any_dimension(dim):
    table = digits.make(dim, 1024)
    assert table.shape == (1797, dim)
    assert np.allclose(table.mean(0), 0, atol=1e-9) and np.allclose(table.std(0), 1)
    if dim < 64:
        assert np.allclose(table.T @ table / len(table), np.eye(dim), atol=1e-8)


def test_pixels_are_what_digits_are_before_logit_and_standardisation():
    pixels = digits.make_pixels(196, 1024)
    assert pixels.min() >= 0 and pixels.max() < 1 and pixels.shape == (1797, 196)
    assert np.array_equal(preprocessing.standardise(preprocessing.logit(pixels)), digits.make(196, 1024))


def test_digits_of_colour_and_more_rows_than_images():
    assert rows("digits", 3072, 4).shape == (4, 3072)
    assert rows("digits", 64, 4000).shape == (4000, 64)
    assert len(torch.unique(rows("digits", 64, 4000), dim=0)) == 4000


def test_rows_are_distinct_and_decided_by_the_seed():
    first = rows("digits", 16, 128)
    assert len(torch.unique(first, dim=0)) == 128
    assert torch.equal(first, rows("digits", 16, 128)) and torch.equal(first[:32], rows("digits", 16, 32))
    assert not torch.equal(first, rows("digits", 16, 128, seed=1))


def test_gaussian_rows_have_unit_variance_in_any_dimension():
    """Tolerance 6 standard errors: false failures below 1e-8, and the seed is fixed."""
    x = rows("gaussian", 5, 4096)
    assert x.dtype == torch.float64 and abs(float(x.square().mean()) - 1) < 6 * (2 / x.numel()) ** 0.5
    assert torch.equal(rows("gaussian", 3, 4), rows("gaussian", 3, 128)[:4])


def test_damaged_table_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setenv("ESTIMATOR_BENCH_CACHE", str(tmp_path))
    first = rows("digits", 4, 8)
    (path,) = (tmp_path / "data").glob("*.npy")
    path.write_bytes(b"not an array")
    assert torch.equal(rows("digits", 4, 8), first)
    assert [p.name for p in path.parent.iterdir()] == [path.name]  # no temporary file is left


def test_cache_lies_in_the_checkout_unless_told_otherwise(monkeypatch):
    monkeypatch.delenv("ESTIMATOR_BENCH_CACHE")
    assert cache.directory().parts[-2:] == ("results", "cache")


def test_equal_content_has_equal_digest_whatever_its_order():
    assert cache.digest({"a": 1, "b": [2.0]}) == cache.digest({"b": [2.0], "a": 1}) != cache.digest({"a": 1})


def test_pickles_are_not_loaded(tmp_path):
    np.save(tmp_path / "evil.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert cache.read_array(tmp_path / "evil.npy") is None
    np.savez(tmp_path / "evil.npz", a=np.array([{"a": 1}], dtype=object))
    assert cache.read_bundle(tmp_path / "evil.npz") is None


def test_sources_need_one_way_of_giving_rows():
    with pytest.raises(ValueError, match="either make or draw"):
        data.register(data.Source("empty"))
    with pytest.raises(ValueError, match="registered already"):
        data.register(data.Source("digits", draw=lambda d, b, g: torch.zeros(b, d)))


@pytest.mark.parametrize(("name", "columns", "count"), [("breast_cancer", 30, 569), ("wine", 13, 178)])
def test_tables_are_whitened_and_know_their_size(name, columns, count):
    table = rows(name, columns, count)
    assert torch.allclose(table.T @ table / count, torch.eye(columns, dtype=torch.float64), atol=1e-8)
    with pytest.raises(ValueError, match=f"has {count} rows: batch has to be at most {count}; got {count + 1}"):
        data.check(name, 2, count + 1)
    with pytest.raises(ValueError, match=f"has dim 1…{columns}; got {columns + 1}"):
        data.check(name, columns + 1, 8)


@pytest.mark.parametrize("name", ["eight_gaussians", "two_spirals", "checkerboard", "rings"])
def test_toys_are_two_dimensional_centred_and_of_unit_size(name):
    """4096 rows: means within 0.1 (5 standard errors), spread between 0.7 and 1.3; the seed is fixed."""
    x = rows(name, 2, 4096)
    assert x.mean(0).abs().max() < 0.1 and 0.7 < x.std() < 1.3
    assert torch.equal(x[:100], rows(name, 2, 100))
    with pytest.raises(ValueError, match="has dim 2; got 3"):
        data.check(name, 3, 8)


def test_toys_lie_where_they_should():
    x = rows("eight_gaussians", 2, 512)
    modes = 2**0.5 * torch.stack([torch.tensor([np.cos(a), np.sin(a)]) for a in np.arange(8) * np.pi / 4])
    assert torch.cdist(x, modes).min(1).values.max() < 0.2 * 4.5
    board = torch.floor(rows("checkerboard", 2, 512) + 2)
    assert ((board.sum(-1) % 2) == 0).all() and board.min() >= 0 and board.max() <= 3
    radii = torch.linalg.vector_norm(rows("rings", 2, 512), dim=-1)
    assert ((2 * radii - (2 * radii).round()).abs() < 2 * 0.05 * 4.5).all()


def test_far_mode_holds_a_thousandth_of_the_rows():
    """Of 65536 rows about 66 ± 8 are far: the bounds are six standard deviations, and the seed is fixed."""
    x = rows("far_mode_plus", 2, 65536)
    assert 18 < int((x[:, 0] > 500).sum()) < 115 and int((x[:, 0] < -500).sum()) == 0
    near = x[x[:, 0] < 500]
    assert near.mean(0).abs().max() < 0.03 and (near.std(0) - 1).abs().max() < 0.02
