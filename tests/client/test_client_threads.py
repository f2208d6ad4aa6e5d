"""Calls for many contacts are made side by side: eight at a time, and no more."""

from __future__ import annotations

import threading
import time

from odoo.addons.usercom_connector.tools import exchange


def test_eight_calls_are_under_way_at_a_time() -> None:
    meeting = threading.Barrier(8, timeout=20)
    lock = threading.Lock()
    under_way, most = 0, 0

    def call(job: int) -> int:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        meeting.wait()  # goes on only when eight are here
        with lock:
            under_way -= 1
        return job

    answers = exchange.run_all(range(24), call, time.monotonic() + 60)
    assert answers == [(job, job) for job in range(24)]
    assert most == 8
