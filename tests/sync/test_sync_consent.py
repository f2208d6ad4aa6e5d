"""What consent events amount to, how a read becomes one, and what is sent."""

from datetime import datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from odoo.addons.usercom_connector.sync import consent, values
from odoo.addons.usercom_connector.sync.consent import (
    GIVEN,
    UNSUBSCRIBED,
    WITHDRAWN,
    ConsentRule,
    Event,
)

NOW = datetime(2026, 3, 1, 12)

# Few moments, so that equal ones are common.
moments = st.integers(min_value=0, max_value=5).map(lambda hours: NOW - timedelta(hours=hours))
given_events = st.builds(Event, given=st.just(True), at=st.none() | moments)
withdrawn_events = st.builds(Event, given=st.just(False), at=moments)
histories = st.lists(given_events | withdrawn_events, max_size=8)
reads = st.sampled_from([None, True, False])
states = st.sampled_from([None, GIVEN, WITHDRAWN])


# State


@given(
    said=st.lists(st.tuples(st.sampled_from(["given", "pending", "blocked", "released"]), moments))
)
def test_blocked_lasts_until_released_and_is_no_word(said):
    overlay = [state for state, _at in said if state in (consent.BLOCKED, consent.RELEASED)]
    assert consent.is_blocked(said) == (overlay[-1:] == [consent.BLOCKED])
    words = [word for word in said if word[0] not in (consent.BLOCKED, consent.RELEASED)]
    assert consent.latest(said) == consent.latest(words)


def test_pending_counts_where_there_is_no_word():
    asked, no = (consent.PENDING, NOW), (WITHDRAWN, NOW - timedelta(days=9))
    assert consent.latest([asked]) == asked
    assert consent.latest([no, asked]) == no
    assert consent.latest([]) is None


def test_no_event_is_never_asked():
    assert consent.state([]) is None
    assert consent.state(iter([])) is None


@given(histories, st.randoms())
def test_order_does_not_matter(history, random):
    mixed = list(history)
    random.shuffle(mixed)
    assert consent.state(mixed) == consent.state(history)


@given(histories)
def test_saying_it_again_changes_nothing(history):
    assert consent.state(history + history) == consent.state(history)


@given(histories, withdrawn_events)
def test_a_withdrawal_is_beaten_only_by_a_later_consent(history, no):
    later = [event for event in history if event.given and event.at and event.at > no.at]
    if not later:
        assert consent.state([*history, no]) == WITHDRAWN


@given(histories, st.data())
def test_an_older_or_undated_consent_never_raises(history, data):
    assume(any(not event.given for event in history))
    latest_no = max(event.at for event in history if not event.given)
    yes = data.draw(given_events.filter(lambda event: event.at is None or event.at <= latest_no))
    assert consent.state([*history, yes]) == consent.state(history)


@given(histories)
def test_what_was_asked_never_becomes_never_asked(history):
    assert (consent.state(history) is None) == (not history)


@given(histories, moments)
def test_a_new_consent_after_everything_counts(history, at):
    assume(all(event.at is None or event.at < at for event in history))
    assert consent.state([*history, Event(True, at)]) == GIVEN


# Observed


@given(reads, reads, st.booleans(), st.none() | moments)
def test_observed_follows_the_read(read, last_seen, known, last_read_at):
    event = consent.observed(read, last_seen, known=known, last_read_at=last_read_at, now=NOW)
    if read is None or (known and read == last_seen):
        assert event is None  # nothing was said, or it was said before
    else:
        assert event.given == read


@given(reads, st.booleans(), moments)
def test_a_consent_follows_the_start_of_the_span(last_seen, known, last_read_at):
    event = consent.observed(True, last_seen, known=known, last_read_at=last_read_at, now=NOW)
    if known and last_seen is not True:
        assert event == Event(True, last_read_at + consent.NEXT_MOMENT)
    elif not known:
        assert event == Event(True, None)


@given(reads, st.booleans(), st.none() | moments)
def test_a_withdrawal_takes_the_end_of_the_span(last_seen, known, last_read_at):
    event = consent.observed(False, last_seen, known=known, last_read_at=last_read_at, now=NOW)
    assert event in (None, Event(False, NOW))


@given(histories, reads, moments)
def test_a_replayed_read_says_nothing(history, read, last_read_at):
    assert consent.observed(read, read, known=True, last_read_at=last_read_at, now=NOW) is None


@given(histories, reads, st.booleans(), st.none() | moments)
def test_a_read_never_raises_over_a_no_said_since_the_last_read(history, last_seen, known, before):
    assume(any(not event.given for event in history))
    latest_no = max(event.at for event in history if not event.given)
    assume(before is None or before + consent.NEXT_MOMENT <= latest_no)
    event = consent.observed(True, last_seen, known=known, last_read_at=before, now=NOW)
    events = history if event is None else [*history, event]
    assert consent.state(events) == consent.state(history)


# To send


@given(states, reads, st.booleans())
def test_a_consent_is_sent_only_where_it_was_given(wanted, seen, has_address):
    if consent.to_send(wanted, seen, has_address=has_address) is True:
        assert wanted == GIVEN


@given(reads)
def test_never_asked_is_sent_as_nothing(seen):
    assert consent.to_send(None, seen, has_address=False) is None
    assert consent.to_send(None, None, has_address=True) is None


@given(states, reads, st.booleans())
def test_what_is_there_already_is_not_sent(wanted, seen, has_address):
    sent = consent.to_send(wanted, seen, has_address=has_address)
    assert sent is None or sent != seen


@given(states, reads, st.booleans())
def test_sending_settles_it(wanted, seen, has_address):
    sent = consent.to_send(wanted, seen, has_address=has_address)
    there = seen if sent is None else sent
    assert consent.to_send(wanted, there, has_address=has_address) is None
    if wanted:
        assert there is (wanted == GIVEN)


@pytest.mark.parametrize(
    ("wanted", "seen", "expected"),
    [
        (GIVEN, True, None),
        (GIVEN, None, True),
        (GIVEN, False, True),
        (WITHDRAWN, True, False),
        (WITHDRAWN, None, False),
        (None, True, False),  # given at the old address, not at the new one
        (None, None, None),
        (None, False, None),
    ],
)
def test_a_new_address_has_its_own_consent(wanted, seen, expected):
    assert consent.to_send(wanted, seen, has_address=True) is expected


# Rules: a purpose and an attribute that tells of it

LEADS = ConsentRule(1, "email_consent", "email")
FOLLOWS = ConsentRule(1, "email_consent", "email", leads=False)
SWITCH = ConsentRule(1, UNSUBSCRIBED, "email")
FOLLOWED_SWITCH = ConsentRule(1, UNSUBSCRIBED, "email", leads=False)
RULES = [LEADS, FOLLOWS, SWITCH, FOLLOWED_SWITCH]
rules = st.sampled_from(RULES)
raws = st.sampled_from([None, True, False, "true", "False", "1", 0, "maybe", 7])


@given(rules, st.booleans(), reads)
def test_what_is_written_is_what_is_read(rule, word, last):
    assert rule.shown(rule.written(word)) is word
    # A first "yes" of the switch looks like its default.
    expected = None if rule.attribute == UNSUBSCRIBED and word and last is None else word
    assert rule.word(rule.written(word), last) is expected


@given(raws)
def test_the_default_of_the_switch_says_nothing(raw):
    for rule in (SWITCH, FOLLOWED_SWITCH):
        assert rule.said(raw, None) in (None, False)
        assert (rule.said(raw, None) is False) == (values.boolean(raw) is True)


@pytest.mark.parametrize("last", [True, False])
def test_the_switch_is_a_yes_after_a_word(last):
    assert SWITCH.said(False, last) is True
    assert SWITCH.said(True, last) is False


@given(rules.filter(lambda rule: not rule.leads), raws, reads)
def test_what_follows_only_says_no(rule, raw, last):
    assert rule.said(raw, last) in (None, False)


@given(rules, raws, reads)
def test_an_echo_shows_what_the_base_has(rule, raw, last):
    if rule.shown(raw) is rule.echo(last):
        assert rule.word(raw, last) in (None, last)


@given(st.lists(rules, unique=True), raws, raws, st.data())
def test_heard_follows_each_rule(some, raw, switch, data):
    base = {rule.key: word for rule in some if (word := data.draw(reads)) is not None}
    shown = {"email_consent": raw, UNSUBSCRIBED: switch}
    words, news = consent.heard(some, shown.get, base, last_read_at=NOW, now=NOW)
    noes = [rule.is_newer_no(shown[rule.attribute], base.get(rule.key)) for rule in some]
    if any(noes):
        assert news[1] == Event(False, NOW), "a new no goes before a new yes"
    elif news:
        assert news[1].given
        assert any(rule.said(shown[rule.attribute], base.get(rule.key)) for rule in some)
    again = consent.heard(some, shown.get, base | words, last_read_at=NOW, now=NOW)
    assert again[1] == {}, "what was heard once is no news"
    only = consent.heard(some, shown.get, base, last_read_at=NOW, now=NOW, only_no=True)
    assert all(word is False for word in only[0].values())
    assert all(not event.given for event in only[1].values())


def test_the_span_is_that_since_the_last_read():
    before = NOW - timedelta(hours=1)
    for raw, last, at in ((True, False, before + consent.NEXT_MOMENT), (False, True, NOW)):
        base = {LEADS.key: last}
        _words, news = consent.heard(
            [LEADS], lambda _name, raw=raw: raw, base, last_read_at=before, now=NOW
        )
        assert (news[1].at, news[1].after) == (at, before)
    _words, news = consent.heard([LEADS], lambda _name: False, {}, last_read_at=before, now=NOW)
    assert news[1].after is None, "at a first meeting nothing is known of before"


# The "no" of a call


@given(histories, moments)
def test_a_no_lowers_only_what_was_given_before(history, at):
    said = [(GIVEN if event.given else WITHDRAWN, event.at) for event in history]
    after = consent.state_of([*said, (WITHDRAWN, at)])
    if consent.lowers(said, at):
        assert (consent.state_of(said), after) == (GIVEN, WITHDRAWN)
    else:
        assert consent.state_of(said) != GIVEN or after == GIVEN


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(-3600, False), (-6, False), (-5, True), (0, True), (1, True), (60, True), (61, False)],
)
def test_a_no_may_be_hidden_around_our_write(seconds, expected):
    assert consent.may_be_hidden(NOW + timedelta(seconds=seconds), NOW) is expected
    assert not consent.may_be_hidden(NOW, None)
