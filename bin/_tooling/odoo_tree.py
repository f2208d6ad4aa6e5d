"""Finds Odoo 19, or fetches it from the Debian mirror that this machine already uses.

Odoo is on no Python index; Debian unstable carries it as an ordinary package, which `apt-get` can
download and `dpkg-deb` unpack without root and without touching the system's package sources.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from . import processes
from .locks import alone
from .places import cache_folder, digest
from .problem import Problem
from .say import say

ELSEWHERE = (
    "set ODOO_SOURCE to an Odoo 19 source tree (for instance a clone of branch 19.0 of odoo/odoo)"
)
# Debian takes fonts and scripts out of Odoo's package and links to these packages instead; each
# with the release whose files lie where the links point.
PACKAGES = (
    "odoo-19/sid",
    "fonts-font-awesome/bookworm",
    "fonts-inconsolata/bookworm",
    "fonts-montserrat/sid",
    "fonts-ocr-b/bookworm",
    "fonts-roboto-unhinted/bookworm",
    "libjs-jquery/bookworm",
    "libjs-jquery-form/bookworm",
    "libjs-underscore/bookworm",
)
# Not in Debian at all; the web client prints an error when it cannot load it.
LEFT_OUT = "mail/static/lib/selfie_segmentation/selfie_segmentation.js"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SPACE_NEEDED = 2_500_000_000


@dataclass(frozen=True)
class OdooTree:
    """An Odoo 19 that can be imported once `python_path` is on Python's path."""

    python_path: Path

    @property
    def identity(self) -> str:
        """Return what distinguishes this Odoo from another one, for names of things made by it."""
        release = self.python_path / "odoo" / "release.py"
        return digest(str(self.python_path), release.read_bytes())

    def addon(self, name: str) -> Path:
        """Return where one of Odoo's own addons lies, if this tree has it."""
        # A git clone keeps all but `base` beside the package, a Debian package inside.
        beside = self.python_path / "addons" / name
        return beside if beside.is_dir() else self.python_path / "odoo" / "addons" / name


def find_odoo() -> OdooTree:
    """Return the tree that ODOO_SOURCE names, else the one in the cache, fetched when missing."""
    if named := os.environ.get("ODOO_SOURCE"):
        return _existing(Path(named).expanduser().absolute())
    folder = cache_folder() / f"odoo-19.0-{digest(*PACKAGES, LEFT_OUT)}"
    if not folder.is_dir():
        with alone(cache_folder() / "odoo.lock", "fetching Odoo"):
            if not folder.is_dir():
                _fetch(folder)
    return _existing(folder)


def _existing(folder: Path) -> OdooTree:
    for inside in ("", "usr/lib/python3/dist-packages"):
        release = folder / inside / "odoo" / "release.py"
        if release.is_file():
            if not re.search(r"^version_info = \(19, 0,", release.read_text(), re.MULTILINE):
                raise Problem(f"{folder} holds another Odoo than 19.0: {ELSEWHERE}.")
            return OdooTree(folder / inside)
    raise Problem(f"{folder} holds no Odoo (there is no odoo/release.py in it): {ELSEWHERE}.")


def _fetch(target: Path) -> None:
    if shutil.disk_usage(target.parent).free < SPACE_NEEDED:
        raise Problem(
            f"Odoo needs about 2.5 GB of disk in {target.parent}: free some, or set USERCOM_CACHE "
            "to a folder on another disk."
        )
    for tool in ("apt-get", "dpkg-deb"):
        if not shutil.which(tool):
            raise Problem(
                f"Odoo can be fetched only where Debian's {tool} is; here, {ELSEWHERE}, "
                "and start again."
            )
    say("fetching Odoo 19 (about 125 MB) from the Debian mirror of this machine")
    with tempfile.TemporaryDirectory(prefix="fetching-", dir=target.parent) as aside:
        files = download_packages(Path(aside), PACKAGES)
        say("unpacking Odoo")
        tree = Path(aside) / "tree"
        for file in files:
            _run(["dpkg-deb", "--extract", str(file), str(tree)])
        missing = tree / "usr/lib/python3/dist-packages/odoo/addons" / LEFT_OUT
        missing.parent.mkdir(parents=True, exist_ok=True)
        missing.touch()
        # The last step, so that what stands under the final name is whole.
        tree.rename(target)


def download_packages(folder: Path, names: tuple[str, ...]) -> list[Path]:
    """Download Debian packages, given as name/release, into the folder and return the files."""
    mirrors = _mirrors()
    if not mirrors or not KEYRING.is_file():
        raise Problem(
            "apt-get on this machine has no Debian mirror, from which Odoo could be fetched: "
            f"{ELSEWHERE}, and start again."
        )
    for private in ("sources", "lists/partial", "cache/archives/partial", "debs"):
        (folder / private).mkdir(parents=True, exist_ok=True)
    apt = [
        "apt-get",
        "-q",
        "-oDir::Etc::SourceList=/dev/null",
        f"-oDir::Etc::SourceParts={folder / 'sources'}",
        f"-oDir::State::Lists={folder / 'lists'}",
        f"-oDir::Cache={folder / 'cache'}",
        "-oAPT::Sandbox::User=root",
        "-oAPT::Update::Error-Mode=any",
        "-oAcquire::Languages=none",
        "-oAcquire::Retries=3",
    ]
    suites = sorted({name.split("/")[1] for name in names})
    failure = ""
    for mirror in mirrors:
        (folder / "sources" / "debian.sources").write_text(
            f"Types: deb\nURIs: {mirror}\nSuites: {' '.join(suites)}\nComponents: main\n"
            f"Signed-By: {KEYRING}\n"
        )
        try:
            _run([*apt, "update"])
            _run([*apt, "download", *names], folder=folder / "debs")
        except Problem as problem:
            failure = str(problem)
            continue
        return sorted((folder / "debs").glob("*.deb"))
    raise Problem(
        f"Odoo could not be fetched ({failure}): check this machine's network and that apt-get "
        f"works, or {ELSEWHERE}, and start again."
    )


def _mirrors() -> list[str]:
    """Return the mirrors of the machine's own package sources, the likeliest first.

    `--print-uris` tells them also where no package list was ever downloaded, as in a fresh image.
    """
    _, listing = processes.run(["apt-get", "--print-uris", "update"])
    found = re.findall(r"^'([^']+)/dists/[^/']+/InRelease'", listing, re.MULTILINE)
    return sorted(dict.fromkeys(found), key=lambda uri: not uri.rstrip("/").endswith("/debian"))


def _run(command: list[str], folder: Path | None = None) -> None:
    # LC_ALL: what apt-get says becomes part of a sentence in English.
    variables = {**os.environ, "LC_ALL": "C.UTF-8"}
    code, said = processes.run(command, variables=variables, folder=folder)
    if code != 0:
        lines = [line.strip() for line in said.splitlines() if line.startswith(("E:", "dpkg"))]
        raise Problem(f"{command[0]} said: {lines[0] if lines else f'exit code {code}'}")
