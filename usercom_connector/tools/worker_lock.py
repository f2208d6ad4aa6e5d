"""One worker per account and direction, by a lock that no row and no transaction is part of."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from odoo import sql_db
from odoo.tools import SQL

#: Keeps our advisory locks apart from those of others in the same database.
_NAMESPACE = 0x75C0
_DIRECTIONS = {"push": 1, "pull": 2}


@contextlib.contextmanager
def worker_lock(dbname: str, account_id: int, direction: str) -> Iterator[bool]:
    """Hold the lock for the length of the block; gives ``False`` when another worker has it.

    A session-level advisory lock on a connection of its own: nobody's save waits for it, it
    outlives the commits of the work it guards, and it ends with the process. The connection is
    committed at once, so that it holds back no vacuum.
    """
    key = _NAMESPACE << 2 | _DIRECTIONS[direction]
    with contextlib.closing(sql_db.db_connect(dbname).cursor()) as cr:
        cr.execute(SQL("SELECT pg_try_advisory_lock(%s, %s)", key, account_id))
        (mine,) = cr.fetchone()
        cr.commit()  # pylint: disable=invalid-commit
        try:
            yield mine
        finally:
            if mine:
                cr.execute(SQL("SELECT pg_advisory_unlock(%s, %s)", key, account_id))
                cr.commit()  # pylint: disable=invalid-commit
