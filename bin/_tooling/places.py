"""Where things lie: the checkout, the cache outside it, and the folders of running clusters."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
ADDON = CHECKOUT / "usercom_connector"
#: Addons that join the addon with others of Odoo's, in the order in which they build on each other.
GLUE = (
    CHECKOUT / "usercom_connector_website",
    CHECKOUT / "usercom_connector_website_mass_mailing",
    CHECKOUT / "usercom_connector_mass_mailing",
    CHECKOUT / "usercom_connector_privacy_lookup",
)
LOCK_FILE = CHECKOUT / "requirements.lock"


def cache_folder() -> Path:
    """Return the folder that all checkouts of this user share; it is made when missing."""
    if named := os.environ.get("USERCOM_CACHE"):
        folder = Path(named).expanduser().absolute()
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        folder = Path(base).expanduser().absolute() / "usercom_connector"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def run_folder(name: str) -> Path:
    """Return the folder for what a command named `name` leaves behind between two runs."""
    if named := os.environ.get("USERCOM_RUN"):
        folder = Path(named).expanduser().absolute() / name
    elif os.access(CHECKOUT, os.W_OK):
        folder = CHECKOUT / ".run" / name
    else:
        folder = cache_folder() / "run" / digest(str(CHECKOUT)) / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def digest(*parts: str | bytes) -> str:
    """Return a short name that stands for the parts, to be used in file and database names."""
    seed = hashlib.sha256()
    for part in parts:
        seed.update(part.encode() if isinstance(part, str) else part)
        seed.update(b"\0")
    return seed.hexdigest()[:12]
