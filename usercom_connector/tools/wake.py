"""Wakes a scheduled action after a commit, at most once a second per process.

A trigger for every save or webhook call would halve their rate. So the first one wakes at once,
and those of the following second share one wake-up at its end. The rows that wait are in the
database: a wake-up that is lost with its process only means that the action runs at its regular
interval.
"""

from __future__ import annotations

import contextlib
import threading
import time

import psycopg2
from odoo import SUPERUSER_ID, api
from odoo.modules.registry import Registry
from odoo.sql_db import BaseCursor

INTERVAL_SECONDS = 1.0

_lock = threading.Lock()
_last_wake: dict[tuple[str, str], float] = {}
_planned: dict[tuple[str, str], float] = {}


def after_commit(cr: BaseCursor, cron_xmlid: str) -> None:
    """Wake the action once the transaction of ``cr`` is committed."""
    key = f"usercom_connector.wake.{cron_xmlid}"
    if not cr.postcommit.data.get(key):
        cr.postcommit.data[key] = True
        cr.postcommit.add(lambda: soon(cr.dbname, cron_xmlid))


def soon(dbname: str, cron_xmlid: str) -> None:
    """Wake the action now, or at the end of the second that its last wake-up began."""
    with _lock:
        since = time.monotonic() - _last_wake.get((dbname, cron_xmlid), -INTERVAL_SECONDS)
        if since >= INTERVAL_SECONDS:
            _last_wake[dbname, cron_xmlid] = time.monotonic()
    if since >= INTERVAL_SECONDS:
        _trigger(dbname, cron_xmlid)
    else:
        later(dbname, cron_xmlid, INTERVAL_SECONDS - since)


def later(dbname: str, cron_xmlid: str, seconds: float) -> None:
    """Wake the action in so many seconds, unless an earlier wake-up is planned already.

    Odoo itself keeps moments to the minute; this is for the shorter ones.
    """
    due = time.monotonic() + seconds
    with _lock:
        if _planned.get((dbname, cron_xmlid), float("inf")) <= due:
            return
        _planned[dbname, cron_xmlid] = due
    timer = threading.Timer(seconds, _planned_wake, (dbname, cron_xmlid, due))
    timer.name = f"usercom_connector.wake.{cron_xmlid}"
    timer.daemon = True
    timer.start()


def _planned_wake(dbname: str, cron_xmlid: str, due: float) -> None:
    with _lock:
        if _planned.get((dbname, cron_xmlid)) != due:
            return  # an earlier one has been planned since
        del _planned[dbname, cron_xmlid]
        _last_wake[dbname, cron_xmlid] = time.monotonic()
    _trigger(dbname, cron_xmlid)


def _trigger(dbname: str, cron_xmlid: str) -> None:
    # The database may be gone or out of reach by now: the rows wait for the regular run.
    with contextlib.suppress(psycopg2.Error), Registry(dbname).cursor() as cr:
        env = api.Environment(cr, SUPERUSER_ID, {})
        if cron := env.ref(cron_xmlid, raise_if_not_found=False):
            cron._trigger()
