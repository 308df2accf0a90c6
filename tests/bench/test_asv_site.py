"""asv's published site with the network off: links rewritten, files checked, data readable from disk."""

import hashlib
import importlib.resources
import subprocess
from pathlib import Path

import pytest

from bench import vendor_asv_site as vendoring
from bench.vendor_asv_site import ASSETS, VendorError, main, rewrite, vendor


@pytest.fixture
def asv_page():
    return (importlib.resources.files("asv") / "www" / "index.html").read_text()


def test_asv_loads_nothing_that_is_not_vendored(asv_page):
    page, needed = rewrite(asv_page)
    assert len(needed) == len(ASSETS)
    assert '<script src="http' not in page
    assert 'rel="stylesheet" href="http' not in page
    assert "integrity=" not in page  # npm's flot is not minified, so asv's hashes do not fit
    assert page.index("jquery.min.js") < page.index("vendor/from_disk.js") < page.index("jquery.flot.js")
    assert 'href="https://github.com' in page  # links that a reader follows stay


def test_a_library_unknown_here_is_named(asv_page):
    page = asv_page.replace("md5.min.js", "sha.min.js")
    with pytest.raises(VendorError, match=r"the page loads https://\S+/sha.min.js, which is not known here"):
        rewrite(page)


def _fake_npm(monkeypatch, content=b"// a library\n", code=0):
    """An npm whose packages hold the wanted files, all with the same content."""
    import io
    import tarfile

    def run(command, **_):
        package, folder = command[2], Path(command[-1])
        if code == 0:
            with tarfile.open(folder / "package.tgz", "w:gz") as archive:
                names = [a.path for a in ASSETS.values() if a.package == package]
                for name in [*names, "LICENSE", "../outside", "unused.js"]:
                    entry = tarfile.TarInfo(f"package/{name}")
                    entry.size = len(content)
                    archive.addfile(entry, io.BytesIO(content))
        return subprocess.CompletedProcess(command, code, "", "npm error 404\n")

    monkeypatch.setattr(vendoring.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(vendoring.subprocess, "run", run)
    digest = hashlib.sha256(content).hexdigest()
    assets = {name: vendoring.Asset(a.package, a.path, digest) for name, a in ASSETS.items()}
    return assets


@pytest.fixture
def site(tmp_path, asv_page):
    (tmp_path / "index.html").write_text(asv_page)
    (tmp_path / "graphs" / "a b").mkdir(parents=True)
    (tmp_path / "graphs" / "a b" / "step time.json").write_text('[[1, NaN], [2, "x"]]')
    return tmp_path


def test_a_site_is_vendored_once(site, monkeypatch):
    monkeypatch.setattr(vendoring, "ASSETS", _fake_npm(monkeypatch))
    assert vendor(site) == len(ASSETS)
    assert (site / "vendor" / "flot@0.8.3" / "LICENSE").is_file()
    assert not (site / "vendor" / "flot@0.8.3" / "unused.js").exists()
    assert not (site / "vendor" / "outside").exists()
    assert (site / "vendor" / "VERSIONS.txt").read_text().count("sha256") == len(ASSETS)
    twin = (site / "graphs" / "a b" / "step time.json.js").read_text()
    assert twin == 'asvFiles["graphs/a b/step time.json"] = [[1, NaN], [2, "x"]];\n'
    assert vendor(site) == 0


def test_another_file_than_the_recorded_one_is_refused(site, monkeypatch):
    _fake_npm(monkeypatch)
    before = (site / "index.html").read_text()
    with pytest.raises(VendorError, match="has the hash"):
        vendor(site)
    assert (site / "index.html").read_text() == before


def test_what_is_missing_is_said_in_one_line(site, monkeypatch, capsys, tmp_path_factory):
    monkeypatch.setattr(vendoring.shutil, "which", lambda name: None)
    assert main([str(site)]) == 1
    assert capsys.readouterr().err.startswith("error: npm is not installed")
    assert main([str(tmp_path_factory.mktemp("empty"))]) == 1
    assert "run `asv publish` first" in capsys.readouterr().err
    _fake_npm(monkeypatch, code=1)
    assert main([str(site)]) == 1
    assert capsys.readouterr().err == "error: npm cannot get blueimp-md5@2.19.0: npm error 404\n"
