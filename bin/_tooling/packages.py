"""The virtual environment with the locked packages and the Odoo tree on its path."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path

from . import processes
from .locks import alone
from .odoo_tree import OdooTree, download_packages
from .places import LOCK_FILE, cache_folder, digest
from .problem import Problem
from .say import say

COMPLETE = "complete"


def find_environment(odoo: OdooTree) -> Path:
    """Return the folder of the virtual environment, made when it is missing or out of date."""
    key = digest(LOCK_FILE.read_bytes(), sys.version, sys.base_prefix, str(odoo.python_path))
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = cache_folder() / f"venv-{version}-{key}"
    if not _usable(folder):
        with alone(cache_folder() / f"{folder.name}.lock", "installing the Python packages"):
            if not _usable(folder):
                _make(folder, odoo)
    return folder


def python_of(environment: Path) -> Path:
    """Return the environment's Python."""
    return environment / "bin" / "python"


def site_packages(environment: Path) -> Path:
    """Return where the environment's packages lie."""
    return next((environment / "lib").glob("python3.*")) / "site-packages"


def _usable(folder: Path) -> bool:
    # The interpreter it points to may have been uninstalled since.
    return (folder / COMPLETE).is_file() and os.access(python_of(folder), os.X_OK)


def _make(folder: Path, odoo: OdooTree) -> None:
    # Made in place and marked when done: a virtual environment cannot be renamed.
    shutil.rmtree(folder, ignore_errors=True)
    say(f"installing the Python packages for Python {sys.version.split()[0]}")
    has_pip = importlib.util.find_spec("ensurepip") is not None
    _call([sys.executable, "-m", "venv", *([] if has_pip else ["--without-pip"]), str(folder)])
    with tempfile.TemporaryDirectory(prefix="pip-", dir=folder) as aside:
        pip = ["-m", "pip"] if has_pip else [str(_pip_from_debian(Path(aside)))]
        command = [str(python_of(folder)), *pip, "install", "--quiet", "--no-input", "--no-deps"]
        _call([*command, "--disable-pip-version-check", "--requirement", str(LOCK_FILE)])
    # Last on the path, so that a tree with more than Odoo in it hides none of our packages.
    (site_packages(folder) / "odoo-tree.pth").write_text(f"{odoo.python_path}\n")
    (folder / COMPLETE).touch()


def _pip_from_debian(folder: Path) -> Path:
    """Fetch pip itself: Debian keeps it apart from Python, in a package that may be missing."""
    sentence = (
        "This Python cannot make a virtual environment: install its venv package (on Debian: "
        "apt-get install python3-venv) and start again."
    )
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise Problem(sentence)
    (package,) = download_packages(folder, ("python3-pip-whl/sid",))
    processes.run(["dpkg-deb", "--extract", str(package), str(folder)])
    wheels = sorted((folder / "usr/share/python-wheels").glob("pip-*.whl"))
    if not wheels:
        raise Problem(sentence)
    return wheels[0] / "pip"


def _call(command: list[str]) -> None:
    variables = {**os.environ, "PIP_NO_WARN_SCRIPT_LOCATION": "1"}
    # Would lead pip to another environment's packages.
    variables.pop("PYTHONPATH", None)
    code, said = processes.run(command, variables=variables)
    if code != 0:
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        told = next((line for line in lines if line.startswith("ERROR")), (lines or [""])[-1])
        raise Problem(
            f"The Python packages could not be installed ({told}): check that pip can reach its "
            "package index from here, and start again."
        )
