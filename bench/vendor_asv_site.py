"""Make asv's published site open with the network off: `python -m bench.vendor_asv_site [.asv/html]`.

asv's pages load jQuery, flot, Bootstrap and others from content delivery networks; without them they show an error
page. This takes the same libraries from the npm registry, checks them against the hashes below, puts them with their
licences beside the pages, and rewrites the links. Browsers refuse to fetch data from pages opened from disk, so each
data file gets a twin that can be loaded as a script. Run it after each `asv publish`.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

SITE = Path(".asv/html")
FOLDER = "vendor"


class VendorError(ValueError):
    """The site cannot be made to open offline; one line says why."""


@dataclass(frozen=True)
class Asset:
    """A file of an npm package that stands in for one from elsewhere.

    Attributes:
        package: the package, with its version.
        path: the file inside it.
        sha256: of the file.
    """

    package: str
    path: str
    sha256: str

    @property
    def target(self) -> str:
        """Its path in the site; a package keeps its folders, since style sheets point to fonts beside them."""
        return f"{FOLDER}/{self.package}/{self.path}"


_FLOT, _BOOTSTRAP = "flot@0.8.3", "bootstrap@3.1.1"

# By the file name that asv's pages ask for; npm holds flot without its minified files, and stupidtable as 1.1.3.
ASSETS: dict[str, Asset] = {
    "jquery-3.3.1.min.js": Asset(
        "jquery@3.3.1", "dist/jquery.min.js", "160a426ff2894252cd7cebbdd6d6b7da8fcd319c65b70468f10b6690c45d02ef"
    ),
    "jquery.flot.min.js": Asset(
        _FLOT, "jquery.flot.js", "b7b931f273c38b1277b9c6c1f4e05c4ec09885a487bddaf3279e2d7e49a38e12"
    ),
    "jquery.flot.time.min.js": Asset(
        _FLOT, "jquery.flot.time.js", "a582c832adc7138a6b05aaf61f16ebac274701f1be4afea77e739a1c34b9c41a"
    ),
    "jquery.flot.selection.min.js": Asset(
        _FLOT, "jquery.flot.selection.js", "e6c85f6c1ebe4b4da29d8ae238c7c5060283f05f7ef054f6b91817d02c092918"
    ),
    "jquery.flot.categories.min.js": Asset(
        _FLOT, "jquery.flot.categories.js", "6e81664b28ea795c734906f4aa15614640a75ac7fbd399a7fb9084040698351a"
    ),
    "jquery.flot.orderBars.js": Asset(
        "flot-orderbars@1.0.0",
        "js/jquery.flot.orderBars.js",
        "39735b4f46f96ff4e082572401f47c55a2767b366fd1d1e821e44a8d830a12bf",
    ),
    "stupidtable.min.js": Asset(
        "stupid-table-plugin@1.1.3",
        "stupidtable.min.js",
        "4642380f28ebe9ed7cac251793b281ef8620c4386205d92788f9b12f5cceb4e0",
    ),
    "md5.min.js": Asset(
        "blueimp-md5@2.19.0", "js/md5.min.js", "64d7ded388c562e4bde9e58ce205e5fa01b9734fcd434d496eb7b4fbfe9b927d"
    ),
    "bootstrap.min.js": Asset(
        _BOOTSTRAP, "dist/js/bootstrap.min.js", "898d05a17f2cfc5120ddcdba47a885c378c0b466f30f0700e502757e24b403a1"
    ),
    "bootstrap.min.css": Asset(
        _BOOTSTRAP, "dist/css/bootstrap.min.css", "e9503448692b738dd260fbd7f7cabf2e11f09b600fa97e6eb3a56eba5b1a7e9b"
    ),
}
BESIDE = re.compile(r"licen[cs]e|dist/fonts/", re.IGNORECASE)  # what else of a package is kept

FROM_DISK = """\
// Opened from disk, data comes from the script beside each data file: browsers refuse to fetch it.
window.asvFiles = {};
$.ajaxTransport("+json", function (options) {
    if (location.protocol !== "file:") { return; }
    return {
        send: function (headers, done) {
            var path = options.url.split("?")[0], script = document.createElement("script");
            script.src = path + ".js";
            script.onload = function () {
                script.remove();
                done(200, "success", {json: window.asvFiles[decodeURIComponent(path)]});
            };
            script.onerror = function () { script.remove(); done(404, "error"); };
            document.head.appendChild(script);
        },
        abort: function () {}
    };
});
$.ajaxTransport("+text", function (options) {  // how the pages ask whether their server is there
    if (location.protocol !== "file:") { return; }
    return {send: function (headers, done) { done(200, "success", {text: ""}); }, abort: function () {}};
});
"""

_LOADED = re.compile(r"<(?:script|link)\b[^>]*?\b(src|href)=\"(https?://[^\"]+)\"[^>]*>")
_GUARDS = re.compile(r"\s(?:integrity|crossorigin|referrerpolicy)=\"[^\"]*\"")


def rewrite(page: str) -> tuple[str, list[Asset]]:
    """The page with local files in place of remote ones, and which those are.

    Raises:
        VendorError: it loads a file that is not known here: asv has changed.
    """
    needed: list[Asset] = []

    def local(match: re.Match[str]) -> str:
        name = match[2].rpartition("/")[2]
        if name not in ASSETS:
            raise VendorError(f"the page loads {match[2]}, which is not known here; add it to {__name__}.ASSETS")
        needed.append(ASSETS[name])
        tag = _GUARDS.sub("", match[0].replace(match[2], ASSETS[name].target))
        if name.startswith("jquery-"):
            tag += f'</script>\n    <script src="{FOLDER}/from_disk.js">'
        return tag

    return _LOADED.sub(local, page), needed


def vendor(site: Path) -> int:
    """Vendor the libraries of a published site in place; returns how many files are loaded from it now.

    Raises:
        VendorError: there is no site, npm is not installed or fails, or a file is not the one recorded here.
    """
    index = site / "index.html"
    if not index.is_file():
        raise VendorError(f"no published site at {site}; run `asv publish` first")
    page, needed = rewrite(index.read_text(encoding="utf-8"))
    for data in site.rglob("*.json"):
        name = json.dumps(data.relative_to(site).as_posix())
        text = data.read_text(encoding="utf-8").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
        data.with_name(data.name + ".js").write_text(f"asvFiles[{name}] = {text};\n", encoding="utf-8")
    if not needed:
        return 0
    npm = shutil.which("npm")
    if npm is None:
        raise VendorError("npm is not installed, so the site's JavaScript stays on the network; the rest is unaffected")
    for package in sorted({asset.package for asset in needed}):
        _unpack(npm, package, site / FOLDER / package)
    for asset in needed:
        file = site / asset.target
        if not file.is_file():
            raise VendorError(f"{asset.package} has no file {asset.path}")
        found = hashlib.sha256(file.read_bytes()).hexdigest()
        if found != asset.sha256:
            raise VendorError(f"{asset.path} of {asset.package} has the hash {found}, not {asset.sha256}")
    (site / FOLDER / "from_disk.js").write_text(FROM_DISK, encoding="utf-8")
    listing = [f"{asset.target}  sha256 {asset.sha256}" for asset in needed]
    (site / FOLDER / "VERSIONS.txt").write_text("\n".join(listing) + "\n", encoding="utf-8")
    index.write_text(page, encoding="utf-8")  # last: until here the page works as asv wrote it
    return len(needed)


def _unpack(npm: str, package: str, folder: Path) -> None:
    """The files of a package that are used, its licence, and fonts."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [npm, "pack", package, "--silent", "--pack-destination", scratch]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        archives = list(Path(scratch).glob("*.tgz"))
        if done.returncode or not archives:
            why = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise VendorError(f"npm cannot get {package}: {why}")
        wanted = {asset.path for asset in ASSETS.values() if asset.package == package}
        with tarfile.open(archives[0]) as archive:
            for member in archive:
                name = member.name.partition("/")[2]
                content = archive.extractfile(member) if member.isfile() else None
                outside = Path(name).is_absolute() or ".." in Path(name).parts
                if content is None or outside or (name not in wanted and not BESIDE.search(name)):
                    continue
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content.read())


def main(arguments: list[str] | None = None) -> int:
    """Vendor the site given, or asv's default one; one line on what was done, or why not."""
    arguments = sys.argv[1:] if arguments is None else arguments
    site = Path(arguments[0]) if arguments else SITE
    try:
        count = vendor(site)
    except (VendorError, subprocess.TimeoutExpired) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    print(f"{site / 'index.html'} opens with the network off ({count or 'no'} files vendored)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
