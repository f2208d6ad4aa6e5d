"""Keeps people's data out of the log line that Odoo writes for a failed query."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from contextvars import ContextVar

_quiet: ContextVar[bool] = ContextVar("usercom_connector_quiet_sql", default=False)


class _WithoutValues(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if _quiet.get() and str(record.msg).startswith("bad query"):
            error = record.args[-1] if isinstance(record.args, tuple) and record.args else ""
            # What failed is repeated or parked by our own code, which says so where it belongs.
            record.msg, record.args = (
                "query failed (%s), its values are withheld",
                (getattr(error, "pgcode", None) or type(error).__name__,),
            )
            record.levelno, record.levelname = logging.INFO, "INFO"
        return True


logging.getLogger("odoo.sql_db").addFilter(_WithoutValues())


@contextlib.contextmanager
def quiet_sql() -> Iterator[None]:
    """Within this block and this thread, failed queries are logged without their values."""
    token = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(token)
