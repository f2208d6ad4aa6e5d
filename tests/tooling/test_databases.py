"""The template databases: installing must not warn."""

from __future__ import annotations

from pathlib import Path

from _tooling.databases import warnings_in

LOG = """\
2026-11-27 00:00:00,000 12 INFO usercom odoo.modules.loading: Loading WARNING signs
2026-11-27 00:00:00,001 12 WARNING usercom odoo.addons.base: Two fields have the same label.
2026-11-27 00:00:00,002 12 ERROR ? odoo.sql_db: bad query
Traceback (most recent call last):
"""


def test_warnings_of_an_installation(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(LOG)
    assert warnings_in(log) == [
        "odoo.addons.base: Two fields have the same label",
        "odoo.sql_db: bad query",
    ]
