"""How long a failure makes its row wait."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odoo.addons.usercom_connector.sync import waiting

attempts = st.integers(min_value=0, max_value=10_000)
chances = st.floats(min_value=0, max_value=1)


@given(attempts, chances)
def test_pause_is_never_nothing_and_never_too_long(failures, chance):
    seconds = waiting.pause(failures, chance=chance)
    assert waiting.FIRST_SECONDS <= seconds <= waiting.LONGEST_SECONDS * 1.2


@given(attempts)
def test_pause_grows(failures):
    assert waiting.pause(failures, chance=0.0) <= waiting.pause(failures + 1, chance=0.0)


def test_pause_doubles():
    pauses = [waiting.pause(failures, chance=0.0) for failures in range(1, 10)]
    assert pauses == [5, 10, 20, 40, 80, 160, 320, 640, 900]


def test_two_that_fail_together_do_not_come_back_together():
    assert len({waiting.pause(3) for _ in range(20)}) > 1


@given(attempts, st.floats(allow_nan=False))
def test_the_server_is_obeyed_up_to_an_hour(failures, asked):
    assert waiting.pause(failures, asked) == min(max(asked, 0.0), 3600.0)


@pytest.mark.parametrize("asked", [0, 7.5, 3600])
def test_retry_after(asked):
    assert waiting.pause(4, asked) == asked
