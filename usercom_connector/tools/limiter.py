"""One limiter for each account, shared by all processes on all machines through PostgreSQL.

Joins ``sync.pacing``, the rule, to the account's row in ``usercom_limiter``. Runs in threads: no
ORM in here. Slots are taken by one statement that commits by itself, on a connection of its own,
so no transaction is open during a call, and nobody's save waits. A process takes as
many as it will use within 0.1 s. It looks at the row again before it uses a slot if it has not
for 0.1 s, so a 429 that one process gets stops the others that soon.

If the row cannot be reached, each process goes on at half the rate it knew last, by the same rule,
and tries again after some seconds. A row that makes no sense is begun anew.
"""

from __future__ import annotations

import bisect
import contextlib
import itertools
import logging
import threading
import time
from collections import deque
from dataclasses import astuple, fields, replace
from typing import Any

import psycopg2
from odoo import sql_db
from odoo.tools import SQL
from psycopg2.extensions import ISOLATION_LEVEL_READ_COMMITTED

from .. import client
from ..sync import pacing

_logger = logging.getLogger(__name__)

#: After so many seconds without the row it is tried again.
ALONE_SECONDS = 5.0
#: What was seen of the row is believed for so long.
FRESH_SECONDS = 0.1
#: A slot may be used so much later.
KEPT_SECONDS = 0.2

_COLUMNS = tuple(field.name for field in fields(pacing.Pace))
_ROW = SQL(", ").join(SQL.identifier(name) for name in _COLUMNS)
_NOW = SQL("EXTRACT(EPOCH FROM clock_timestamp())::float8")


class Limiter:
    """The permits of one account in one process; the ``client.Limiter`` of a ``client.UserCom``.

    :param dbname: the database with the account's row.
    :param start: the rate (calls a second) that a new account begins with.
    :param ceiling: the rate that is never exceeded, 0 for none.
    """

    def __init__(
        self,
        dbname: str,
        account_id: int,
        *,
        start: float = pacing.FIRST_RATE,
        ceiling: float = 0.0,
    ) -> None:
        self._dbname = dbname
        self._account_id = account_id
        self._ceiling = ceiling
        self._fresh = pacing.Pace(rate=pacing.limited(start or pacing.FIRST_RATE, ceiling))
        self._turn = threading.Condition()
        self._waiting: list[tuple[int, int]] = []
        self._numbers = itertools.count()
        # What was seen of the row, when (by this process's clock), and by how much the database's
        # clock is ahead of it.
        self._pace = self._fresh
        self._looked = float("-inf")
        self._ahead = 0.0
        self._slots: deque[float] = deque()
        self._used: deque[tuple[float, int]] = deque()
        self._floor = 0.0  # no calls before, whatever the row says
        self._cr: sql_db.Cursor | None = None
        self._alone_until = 0.0

    # === WHAT THE CLIENT CALLS === #

    def acquire(self, priority: int, deadline: float) -> int:
        """Wait for a permit, until the deadline.

        One that needs no waiting is given after it as well, so that what took long to read is
        written all the same.

        :param deadline: by ``time.monotonic()``.
        :raises client.Throttled: when User.com asked to wait until after the deadline.
        :raises client.NotSent: when the turn does not come before it.
        """
        with self._turn:
            place = (priority, next(self._numbers))
            bisect.insort(self._waiting, place)
            try:
                while (seconds := self._step(place, deadline)) is not None:
                    if seconds > 0:
                        self._turn.wait(seconds)
                self._used.append((time.monotonic(), priority))
                return self._pace.event
            finally:
                self._waiting.remove(place)
                self._turn.notify_all()

    def throttled(self, permit: int, retry_after: float | None) -> None:
        """Slow down after a 429."""
        with self._turn:
            self._look()
            event = self._pace.event
            self._pace = pacing.slowed(self._pace, self._now(), permit, retry_after, self._ceiling)
            # Also if the row is lost or found again meanwhile.
            self._floor = max(self._floor, self._local(self._pace.blocked_until))
            if self._pace.event == event or not self._ask(self._write(event)):
                self._ask(self._block())
            self._slots.clear()
            self._turn.notify_all()

    def close(self) -> None:
        """Give back the slots that were not used, and the connection."""
        with self._turn:
            if self._slots and self._cr is not None:
                self._ask(self._give_back(len(self._slots)))
            self._slots.clear()
            self._disconnect()

    # === WHOSE TURN IT IS === #

    def _step(self, place: tuple[int, int], deadline: float) -> float | None:
        """Go one step towards a permit: seconds to wait for the next one, ``None`` to call now."""
        now = time.monotonic()
        blocked = max(self._floor, self._local(self._pace.blocked_until))
        if blocked > max(deadline, now):
            raise client.Throttled(blocked - now)
        if self._waiting[0] != place:
            if now > deadline:
                raise client.NotSent(max(self._local(self._pace.next_at) - now, 0.0))
            return deadline - now + 0.001  # woken when the one before leaves
        while self._slots and self._slots[0] < now - KEPT_SECONDS:
            self._slots.popleft()
        # Ahead of time, lest a lower priority elsewhere take what is wanted here.
        opens_at = self._local(pacing.opens_at(self._pace, place[0]))
        if max(opens_at, self._floor) < now and len(self._slots) < self._wanting(place[0]):
            self._take(place[0])
            return 0.0
        at = max(self._slots[0] if self._slots else opens_at, self._floor)
        if self._slots and at <= now:
            if now - self._looked > FRESH_SECONDS:
                self._look()
                return 0.0
            self._slots.popleft()
            return None
        if at > deadline:
            raise client.NotSent(at - now)
        return at - now + 0.0005

    def _wanting(self, priority: int) -> int:
        return sum(who <= priority for who, _number in self._waiting)

    def _take(self, priority: int) -> None:
        now = time.monotonic()
        while self._used and self._used[0][0] < now - pacing.BLOCK_SECONDS:
            self._used.popleft()
        # As many as wait, and as will come back for the next one soon.
        wanted = self._wanting(priority) + sum(who <= priority for _at, who in self._used)
        wanted = max(wanted - len(self._slots), 1)
        rows = self._ask(self._update(wanted, priority))
        if rows:
            [(count, *row)] = rows
            self._see(row)
            rate, end = self._pace.rate, self._pace.next_at
            slots = [end - place / rate for place in range(count, 0, -1)]
        elif rows is None:
            self._pace, slots = pacing.take(
                self._pace, self._now(), wanted, priority, self._ceiling
            )
            self._looked = now
        else:
            self._look()  # others go before, or the row is not there
            return
        self._slots.extend(map(self._local, slots))

    # === THE ROW === #

    def _look(self) -> None:
        """See how the row is now; make it if it is missing or makes no sense."""
        where = SQL("FROM usercom_limiter WHERE account_res_id = %s", self._account_id)
        rows = self._ask(SQL("SELECT %s, %s %s", _ROW, _NOW, where))
        if rows is None:
            self._looked = time.monotonic()
            return
        if rows:
            self._see(rows[0])
            if pacing.is_sane(self._pace, self._now()):
                return
            _logger.warning(
                "The limiter of User.com account %s made no sense and begins anew: %s",
                self._account_id,
                self._pace,
            )
            # Slots and 429s of before are told apart by the number, so that goes on.
            event = self._pace.event
            self._pace = replace(self._fresh, event=max(event, 0) + 1)
            self._slots.clear()
            self._ask(self._write(event))
            return
        self._pace = self._fresh
        self._slots.clear()
        self._ask(
            SQL(
                "INSERT INTO usercom_limiter (account_res_id, %s) VALUES %s"
                " ON CONFLICT (account_res_id) DO NOTHING RETURNING id",
                _ROW,
                (self._account_id, *astuple(self._pace)),
            )
        )

    def _see(self, row: list[Any] | tuple[Any, ...]) -> None:
        *values, now = row
        self._looked = time.monotonic()
        self._ahead = now - self._looked
        before, self._pace = self._pace.event, pacing.Pace(*values)
        if self._pace.event != before:
            self._slots.clear()

    def _update(self, wanted: int, priority: int) -> SQL:
        """``pacing.take`` in SQL. The rate grows if it is the one we saw: else another grew it."""
        pace = self._pace
        return SQL(
            """
            WITH seen AS MATERIALIZED (
                SELECT *, %(now)s AS now
                  FROM usercom_limiter WHERE account_res_id = %(account)s FOR UPDATE
            ), paced AS (
                SELECT *, next_at >= now AS waits,
                       next_at >= now AND rate = %(seen_rate)s AND grown_at = %(seen_at)s AS grows,
                       next_at < now - %(idle)s AS idle,
                       GREATEST(next_at, blocked_until, now - %(slack)s) AS first
                  FROM seen WHERE GREATEST(next_at, blocked_until) - %(horizon)s < now
            ), rated AS (
                SELECT *, CASE WHEN grows THEN %(grown)s
                               ELSE LEAST(rate, %(ceiling)s) END AS new_rate
                  FROM paced
            ), counted AS (
                SELECT *, GREATEST(1, LEAST(%(wanted)s, floor(new_rate * %(block)s)))::int AS count
                  FROM rated
            )
            UPDATE usercom_limiter AS pace
               SET rate = new_rate,
                   next_at = first + count / new_rate,
                   grown_at = CASE WHEN grows OR NOT waits THEN GREATEST(now, counted.grown_at)
                                   ELSE counted.grown_at END,
                   since = CASE WHEN idle THEN now ELSE counted.since END,
                   sent = count + CASE WHEN idle THEN 0 ELSE counted.sent END
              FROM counted WHERE pace.id = counted.id
         RETURNING count, %(row)s, now
            """,
            now=_NOW,
            account=self._account_id,
            seen_rate=pace.rate,
            seen_at=pace.grown_at,
            idle=pacing.IDLE_SECONDS,
            slack=pacing.SLACK_SECONDS,
            horizon=pacing.HORIZON[priority],
            grown=pacing.grown(pace, self._now(), self._ceiling),
            ceiling=pacing.limited(pacing.HIGHEST_RATE, self._ceiling),
            wanted=wanted,
            block=pacing.BLOCK_SECONDS,
            row=SQL(", ").join(SQL("pace.%s", SQL.identifier(name)) for name in _COLUMNS),
        )

    def _write(self, event: int) -> SQL:
        """Write the pace, unless another process has done so on the same occasion."""
        return SQL(
            "UPDATE usercom_limiter SET (%s) = ROW %s"
            " WHERE account_res_id = %s AND event = %s RETURNING id",
            _ROW,
            astuple(self._pace),
            self._account_id,
            event,
        )

    def _block(self) -> SQL:
        """Write until when a further 429 of the same time stops all calls."""
        return SQL(
            "UPDATE usercom_limiter SET blocked_until = GREATEST(blocked_until, %(until)s),"
            " grown_at = GREATEST(grown_at, %(until)s), sent = GREATEST(sent - 1, 0)"
            " WHERE account_res_id = %(account)s RETURNING id",
            until=self._pace.blocked_until,
            account=self._account_id,
        )

    def _give_back(self, count: int) -> SQL:
        """Free the last slots that were taken, if nobody has taken any since."""
        return SQL(
            "UPDATE usercom_limiter"
            " SET next_at = next_at - %(count)s / rate, sent = sent - %(count)s"
            " WHERE account_res_id = %(account)s AND event = %(event)s AND next_at = %(end)s"
            " AND sent >= %(count)s RETURNING id",
            count=count,
            account=self._account_id,
            event=self._pace.event,
            end=self._pace.next_at,
        )

    # === CLOCKS AND CONNECTION === #

    def _now(self) -> float:
        """What the database's clock shows."""
        return time.monotonic() + self._ahead

    def _local(self, at: float) -> float:
        """A time of the database's clock by this process's."""
        return at - self._ahead

    def _ask(self, query: SQL) -> list[tuple[Any, ...]] | None:
        """Run a statement: its rows, or ``None`` when the database cannot be asked."""
        if time.monotonic() < self._alone_until:
            return None
        try:
            if self._cr is None:
                self._connect()
            self._cr.execute(query, log_exceptions=False)
            rows = self._cr.fetchall()
        except psycopg2.Error as error:
            self._go_alone(error)
            return None
        self._alone_until = 0.0
        return rows

    def _connect(self) -> None:
        self._cr = sql_db.db_connect(self._dbname).cursor()
        self._cr.connection.set_session(
            isolation_level=ISOLATION_LEVEL_READ_COMMITTED, autocommit=True
        )
        # What a crash of the database takes with it are numbers that are found anew.
        self._cr.execute("SET synchronous_commit = off")
        self._cr.execute("SET statement_timeout = '2s'")

    def _disconnect(self) -> None:
        cr, self._cr = self._cr, None
        if cr is not None:
            with contextlib.suppress(psycopg2.Error):
                cr.close()

    def _go_alone(self, error: psycopg2.Error) -> None:
        """Go on by a pace of this process's own, at half the rate: others do the same."""
        if not self._alone_until:
            _logger.warning(
                "The limiter of User.com account %s cannot be reached (%s). Until it can, this "
                "process paces its calls by itself.",
                self._account_id,
                type(error).__name__,
            )
            self._pace = replace(
                self._pace, rate=pacing.limited(self._pace.rate / 2.0, self._ceiling)
            )
        self._disconnect()
        self._alone_until = time.monotonic() + ALONE_SECONDS
