"""Merging by three: the rules of design.md, section 5, for any values and any server."""

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from odoo.addons.usercom_connector.sync.mapping import FIXED_MAPPING, FieldRule, rules_for
from odoo.addons.usercom_connector.sync.merge import UNANSWERED, merge, outgoing

from .strategies import canonical, filled, habits, rules, sides, stored

NAMES = ("f0", "f1", "f2")
both_ways = {name: st.just(True) for name in ("out", "into", "removals")}


@dataclass
class Pair:
    """One contact on both sides, with what a binding keeps about it."""

    rules: list[FieldRule]
    odoo: dict
    there: dict
    habit: str = "exact"
    base_odoo: dict = field(default_factory=dict)
    base_usercom: dict = field(default_factory=dict)
    asked: dict = field(default_factory=dict)
    calls: int = 0
    writes: int = 0

    def pull(self, shown=None):
        """Read User.com and take in what it shows."""
        read = dict(self.there if shown is None else shown)
        merged = merge(self.rules, self.odoo, read, self.base_odoo, self.base_usercom)
        self.writes += bool(merged.into)
        self.odoo.update(merged.into)
        self.base_odoo, self.base_usercom = merged.base_odoo, merged.base_usercom
        self.asked = {name: ours for name, (ours, _theirs) in merged.asked.items()}
        return merged

    def push(self, *, answers=True):
        """Send what Odoo changed; ``answers`` says whether the answer shows the contact."""
        out = outgoing(self.rules, self.odoo, self.base_odoo)
        # What a person is asked about waits, and what is read first gives way to an edit there.
        out = {
            name: v for name, v in out.items() if name not in self.asked or self.asked[name] != v
        }
        wanted = bool(out)
        first = {rule.attribute for rule in self.rules if rule.reads_first}
        for name in first & out.keys():
            if self.there[name] != self.base_usercom.get(name):
                del out[name]
        if not out:
            if wanted:
                self.pull()
            return out
        self.calls += 1
        self.there.update({name: stored(self.habit, value) for name, value in out.items()})
        self.base_odoo = self.base_odoo | out
        self.base_usercom = {k: v for k, v in self.base_usercom.items() if k not in out}
        if answers or first & set(NAMES):
            self.base_usercom |= {name: self.there[name] for name in out}
            self.pull()
        return out

    def edit_there(self, edits):
        self.there.update({name: stored(self.habit, value) for name, value in edits.items()})

    def settle(self):
        self.pull()
        self.push()
        return self


def met(rule_list, odoo, there, habit="exact"):
    """A pair after its first meeting."""
    there = {name: stored(habit, value) for name, value in there.items()}
    return Pair(list(rule_list), dict(odoo), there, habit).settle()


def in_step(rule_list, held, habit="exact"):
    """A pair that agrees on these values."""
    return met(rule_list, held, dict.fromkeys(held), habit)


# Nothing to do


@given(rules(), sides(), sides(), habits)
def test_after_a_round_there_is_nothing_to_do(rule_list, odoo, there, habit):
    pair = met(rule_list, odoo, there, habit)
    before = replace(pair, odoo=dict(pair.odoo), there=dict(pair.there), calls=0, writes=0)
    pair.calls = pair.writes = 0
    for _ in range(2):
        pair.pull()
        pair.push()
    assert (pair.calls, pair.writes) == (0, 0)
    assert pair == before


@given(rules(), sides(), sides(), sides(), sides(), habits)
def test_an_echo_changes_nothing(rule_list, odoo, there, odoo_edit, their_edit, habit):
    pair = met(rule_list, odoo, there, habit)
    pair.odoo.update(odoo_edit)
    pair.edit_there(their_edit)
    pair.settle()
    pair.calls = pair.writes = 0
    pair.pull()
    pair.push()
    assert (pair.calls, pair.writes) == (0, 0)


@given(rules(), sides(), sides(), sides(), sides())
def test_merging_twice_is_merging_once(rule_list, odoo, there, base_odoo, base_usercom):
    once = merge(rule_list, odoo, there, base_odoo, base_usercom)
    after = odoo | once.into
    twice = merge(rule_list, after, there, once.base_odoo, once.base_usercom)
    assert twice.into == {}
    assert twice.out == once.out
    assert (twice.base_odoo, twice.base_usercom) == (once.base_odoo, once.base_usercom)


@given(rules(), sides(), sides(), sides(), sides())
def test_merge_leaves_its_arguments_alone(rule_list, odoo, there, base_odoo, base_usercom):
    arguments = (odoo, there, base_odoo, base_usercom)
    copies = tuple(map(dict, arguments))
    merge(rule_list, *arguments)
    outgoing(rule_list, odoo, base_odoo)
    assert arguments == copies


@given(rules(), sides(), sides())
def test_what_is_not_mapped_is_left_alone(rule_list, odoo, there):
    merged = merge(
        rule_list, odoo | {"other": "1"}, there | {"other": "2"}, {"other": "3"}, {"other": "4"}
    )
    assert "other" not in merged.into | merged.out
    assert (merged.base_odoo["other"], merged.base_usercom["other"]) == ("3", "4")


# Edits survive


@given(rules(**both_ways), sides(), sides(), st.data(), habits, st.booleans())
def test_edits_of_different_fields_both_survive(rule_list, held, edit, data, habit, push_first):
    ours = data.draw(st.sets(st.sampled_from(NAMES)))
    pair = in_step(rule_list, held, habit)
    odoo_edit = {name: edit[name] for name in ours}
    their_edit = {name: stored(habit, edit[name]) for name in NAMES if name not in ours}
    pair.odoo.update(odoo_edit)
    changed = {name for name in their_edit if pair.there[name] != their_edit[name]}
    pair.edit_there(their_edit)
    if push_first:
        pair.push()
    pair.settle()
    for name, value in odoo_edit.items():
        assert pair.odoo[name] == value
        assert value == held[name] or pair.there[name] == stored(habit, value)
    for name, value in their_edit.items():
        assert pair.there[name] == value
        assert name not in changed or pair.odoo[name] == value


@given(rules(**both_ways), sides(), canonical, habits, st.booleans())
def test_an_edit_in_odoo_arrives(rule_list, held, value, habit, answers):
    pair = in_step(rule_list, held, habit)
    assume(value != held["f0"])
    pair.odoo["f0"] = value
    pair.push(answers=answers)
    pair.settle()
    assert pair.odoo["f0"] == value
    assert pair.there["f0"] == stored(habit, value)


@given(rules(**both_ways), sides(), canonical, habits)
def test_an_edit_in_usercom_arrives(rule_list, held, value, habit):
    pair = in_step(rule_list, held, habit)
    value = stored(habit, value)
    assume(value != pair.there["f0"])
    pair.edit_there({"f0": value})
    pair.settle()
    assert pair.odoo["f0"] == pair.there["f0"] == value
    assert pair.calls <= 1  # the first meeting's


@given(sides(filled), st.booleans())
def test_a_removal_is_an_edit(held, in_odoo):
    pair = in_step([FieldRule(name, name) for name in NAMES], held)
    if in_odoo:
        pair.odoo["f0"] = None
    else:
        pair.edit_there({"f0": None})
    pair.settle()
    assert pair.odoo["f0"] is pair.there["f0"] is None


@given(sides(filled))
def test_a_removal_over_there_stays_there_where_the_mapping_says_so(held):
    pair = in_step([FieldRule(name, name, removals=False) for name in NAMES], held)
    pair.edit_there({"f0": None})
    pair.settle()
    pair.settle()
    assert pair.odoo["f0"] == held["f0"]
    assert pair.there["f0"] is None


@given(rules(**both_ways), sides(), filled, habits)
def test_both_edited_to_the_same(rule_list, held, value, habit):
    pair = in_step(rule_list, held, habit)
    value = stored(habit, value)
    pair.odoo["f0"] = value
    pair.edit_there({"f0": value})
    pair.calls = pair.writes = 0
    pair.pull()
    pair.push()
    assert pair.odoo["f0"] == pair.there["f0"] == stored(habit, value)
    assert pair.writes == 0


# Conflicts


@given(sides(), filled, canonical, st.booleans())
def test_odoo_wins_a_conflict(held, ours, theirs, push_first):
    assume(len({ours, theirs, held["f0"]}) == 3)
    pair = in_step([FieldRule(name, name) for name in NAMES], held)
    pair.odoo["f0"] = ours
    pair.edit_there({"f0": theirs})
    if push_first:
        pair.push()
    pair.settle()
    assert pair.odoo["f0"] == pair.there["f0"] == ours


@given(sides(), canonical, canonical)
def test_usercom_wins_a_conflict_where_the_mapping_says_so(held, ours, theirs):
    assume(len({ours, theirs, held["f0"]}) == 3)
    pair = in_step([FieldRule(name, name, winner="usercom") for name in NAMES], held)
    pair.odoo["f0"] = ours
    pair.edit_there({"f0": theirs})
    pair.settle()
    assert pair.odoo["f0"] == pair.there["f0"] == theirs


@given(
    rules(**both_ways, winner=st.sampled_from(["usercom", "ask"])),
    *(sides(), sides(), sides()),
    habits,
)
def test_what_is_read_first_does_not_depend_on_who_runs_first(rule_list, held, ours, theirs, habit):
    ends = []
    for push_first in (True, False):
        pair = in_step(rule_list, held, habit)
        pair.odoo.update(ours)
        pair.edit_there(theirs)
        if push_first:
            pair.push()
        pair.settle()
        ends.append((pair.odoo, pair.there, pair.asked))
    assert ends[0] == ends[1]


@given(sides(), canonical, canonical, habits)
def test_nothing_of_what_is_asked_about_travels(held, ours, theirs, habit):
    pair = in_step([FieldRule(name, name, winner="ask") for name in NAMES], held, habit)
    theirs = stored(habit, theirs)
    assume(len({ours, theirs, held["f0"], pair.there["f0"]}) >= 3)
    assume(ours != held["f0"] and theirs != pair.there["f0"] and ours != theirs)
    pair.odoo["f0"] = ours
    pair.edit_there({"f0": theirs})
    for _ in range(2):
        pair.settle()
    assert (pair.odoo["f0"], pair.there["f0"]) == (ours, theirs)
    assert pair.asked == {"f0": ours}


@given(sides(), canonical, canonical, st.booleans())
def test_a_decision_lets_one_side_win(held, ours, theirs, odoo_wins):
    assume(len({ours, theirs, held["f0"]}) == 3)
    pair = in_step([FieldRule(name, name, winner="ask") for name in NAMES], held)
    pair.odoo["f0"] = ours
    pair.edit_there({"f0": theirs})
    pair.settle()
    # The side that loses counts as unchanged from then on.
    pair.asked = {}
    if odoo_wins:
        pair.base_usercom["f0"] = theirs
    else:
        pair.base_odoo["f0"] = ours
    pair.settle()
    assert pair.odoo["f0"] == pair.there["f0"] == (ours if odoo_wins else theirs)
    assert pair.asked == {}


@given(
    rules(out=st.just(True), into=st.just(True), removals=st.just(False)), sides(filled), sides()
)
def test_a_removal_travels_nowhere_where_the_mapping_says_so(rule_list, held, edit):
    pair = in_step(rule_list, held)
    pair.odoo.update(dict.fromkeys(NAMES))
    pair.settle()
    assert pair.there == held
    pair.edit_there(edit)
    pair.settle()
    # What is entered over there after it comes in: nobody holds anything against it.
    expected = {name: value if value != held[name] else None for name, value in edit.items()}
    assert pair.odoo == expected


@given(st.booleans(), st.booleans())
def test_an_unticked_box_that_nobody_touched_wipes_nothing(ours, theirs):
    rule = FieldRule("f0", "f0", value_type="boolean")
    merged = merge([rule], {"f0": ours}, {"f0": theirs}, {}, {})
    assert merged.out == ({"f0": True} if ours and not theirs else {})
    assert merged.into == ({"f0": True} if theirs and not ours else {})


@given(sides(filled), canonical)
def test_an_edit_in_odoo_that_cannot_be_sent_is_not_overwritten(held, theirs):
    # A phone number that is none, say: the edit over there is the loser of this conflict too.
    pair = in_step([FieldRule(name, name) for name in NAMES], held)
    del pair.odoo["f0"]
    pair.edit_there({"f0": theirs})
    assert "f0" not in pair.pull().into


@given(sides(), filled, filled)
def test_an_edit_that_won_and_was_changed_back(held, ours, theirs):
    assume(len({ours, theirs, held["f0"]}) == 3)
    pair = in_step([FieldRule(name, name) for name in NAMES], held)
    pair.odoo["f0"] = ours
    pair.edit_there({"f0": theirs})
    pair.pull()
    pair.odoo["f0"] = held["f0"]  # before it was sent
    pair.push()
    pair.settle()
    assert pair.odoo["f0"] == pair.there["f0"]


# Written, and the answer has not come


@given(canonical, canonical)
def test_after_a_lost_answer_whatever_odoo_holds_goes_out(ours, theirs):
    rule, odoo, base = FieldRule("f0", "f0"), {"f0": ours}, {"f0": UNANSWERED}
    assert outgoing([rule], odoo, base) == odoo
    assume(ours != theirs)
    for known in ({}, {"f0": theirs}, {"f0": ours}, {"f0": None}):
        merged = merge([rule], odoo, {"f0": theirs}, base, known)
        assert (merged.into, merged.out) == ({}, odoo)
        assert merged.base_odoo["f0"] is UNANSWERED


@given(canonical, canonical)
def test_a_read_does_not_settle_what_a_call_may_still_change(value, before):
    rule, base = FieldRule("f0", "f0"), {"f0": UNANSWERED}
    merged = merge([rule], {"f0": value}, {"f0": value}, base, {"f0": before})
    assert merged.base_odoo["f0"] is UNANSWERED
    assert (merged.into, merged.out) == ({}, {})


# First meeting


@given(rules(**both_ways), sides(), sides(), habits)
def test_a_blank_takes_the_other_sides_value(rule_list, odoo, there, habit):
    there = {name: stored(habit, value) for name, value in there.items()}
    pair = met(rule_list, odoo, there, habit)
    for name in NAMES:
        if odoo[name] is None:
            assert pair.odoo[name] == pair.there[name] == there[name]
        if there[name] is None:
            assert pair.odoo[name] == odoo[name]
            assert pair.there[name] == stored(habit, odoo[name])


@given(rules(), sides(), sides(), sides(), habits)
def test_a_blank_that_was_never_filled_wipes_nothing(rule_list, odoo, there, edit, habit):
    pair = met(rule_list, odoo, there, habit)
    for name in NAMES:
        assert odoo[name] is None or pair.odoo[name] is not None
        assert there[name] is None or pair.there[name] is not None
    blank = {name for name in NAMES if odoo[name] is None}
    pair.odoo.update({name: edit[name] for name in NAMES if name not in blank})
    assert all(value for name, value in pair.push().items() if name in blank)


@given(filled, filled, habits)
def test_two_values_that_differ_go_to_the_rule(ours, theirs, habit):
    theirs = stored(habit, theirs)
    rule_list = [FieldRule("f0", "f0"), FieldRule("f1", "f1", winner="usercom")]
    sides_ours, sides_theirs = ({"f0": side, "f1": side} for side in (ours, theirs))
    pair = met(rule_list, sides_ours, sides_theirs, habit)
    assert pair.odoo["f0"] == ours
    assert ours == theirs or pair.there["f0"] == stored(habit, ours)
    assert pair.odoo["f1"] == pair.there["f1"] == theirs


@given(filled, filled)
def test_a_value_that_lost_its_first_meeting_does_not_stay_apart(ours, theirs):
    # Met, but before Odoo's value could be sent somebody emptied it: then that is the edit.
    pair = Pair([FieldRule("f0", "f0")], {"f0": ours}, {"f0": theirs})
    pair.pull()
    pair.odoo["f0"] = None
    pair.push()
    pair.settle()
    assert pair.odoo["f0"] == pair.there["f0"]


@given(rules(), sides(filled))
def test_what_cannot_be_read_in_odoo_stays_at_a_first_meeting(rule_list, there):
    pair = Pair(rule_list, {}, dict(there))
    assert pair.pull().into == {}
    assert pair.push() == {}


# Directions


@given(rules(into=st.just(False)), sides(), sides(), sides(), sides())
def test_a_field_that_only_goes_out_is_never_written(rule_list, odoo, there, base, base_theirs):
    assert merge(rule_list, odoo, there, {}, {}).into == {}
    assert merge(rule_list, odoo, there, base, {}).into == {}
    assert merge(rule_list, odoo, there, base, base_theirs).into == {}


@given(rules(out=st.just(False)), sides(), sides(), sides(), sides())
def test_a_field_that_only_comes_in_is_never_sent(rule_list, odoo, there, base, base_theirs):
    assert merge(rule_list, odoo, there, base, base_theirs).out == {}
    assert outgoing(rule_list, odoo, base) == outgoing(rule_list, odoo, {}) == {}


@given(sides(filled), filled)
def test_a_field_that_only_goes_out_takes_no_edit_back(held, theirs):
    pair = in_step([FieldRule(name, name, into=False) for name in NAMES], held)
    pair.edit_there({"f0": theirs})
    pair.calls = 0
    pair.settle()
    assert (pair.odoo["f0"], pair.there["f0"], pair.calls) == (held["f0"], theirs, 0)


def test_a_person_of_a_company_takes_no_address():
    alone = {rule.attribute for rule in rules_for(FIXED_MAPPING, has_parent=False) if rule.into}
    child = {rule.attribute for rule in rules_for(FIXED_MAPPING, has_parent=True) if rule.into}
    assert alone == {rule.attribute for rule in FIXED_MAPPING}
    assert alone - child == {"city", "country"}
    assert all(rule.out for rule in rules_for(FIXED_MAPPING, has_parent=True))


# Written, but not read back


@given(rules(**both_ways), sides(), habits)
def test_the_first_read_after_a_blind_write_changes_nothing_in_odoo(rule_list, odoo, habit):
    pair = Pair(rule_list, dict(odoo), dict.fromkeys(NAMES), habit)
    pair.push(answers=False)
    merged = pair.pull()
    assert merged.into == merged.out == {}
    assert pair.odoo == odoo
    assert pair.base_usercom == pair.there


@given(rules(**both_ways), sides(filled), filled)
def test_an_edit_before_the_first_read_is_seen(rule_list, odoo, theirs):
    assume(theirs.casefold()[:16] != odoo["f0"].casefold()[:16])
    assume(not theirs.isascii() or theirs.isalpha())
    pair = Pair(rule_list, dict(odoo), dict.fromkeys(NAMES))
    pair.push(answers=False)
    pair.edit_there({"f0": theirs})
    assert pair.pull().into == {"f0": theirs}


@given(rules(**both_ways), sides(filled), filled)
def test_an_edit_in_odoo_before_the_first_read_goes_out(rule_list, odoo, ours):
    assume(ours != odoo["f0"])
    pair = Pair(rule_list, dict(odoo), dict.fromkeys(NAMES))
    pair.push(answers=False)
    pair.odoo["f0"] = ours
    merged = pair.pull()
    assert (merged.into, merged.out) == ({}, {"f0": ours})


# What a side does not show


@given(rules(), sides(), sides(), sides(), st.sampled_from(NAMES))
def test_an_answer_that_does_not_show_a_field_says_nothing_about_it(
    rule_list, odoo, there, base, hidden
):
    pair = met(rule_list, odoo, there)
    known = dict(pair.base_usercom)
    shown = {name: value for name, value in pair.there.items() if name != hidden}
    assume(hidden not in pair.asked)
    merged = pair.pull(shown)
    assert hidden not in merged.into | merged.out
    assert merged.base_usercom == known


@pytest.mark.parametrize("base", [{}, {"f0": "old"}, {"f0": None}])
def test_what_cannot_be_compared_is_not_sent(base):
    rule = FieldRule("f0", "f0")
    assert outgoing([rule], {}, base) == {}
    assert merge([rule], {}, {"f0": "old"}, base, {"f0": "old"}).out == {}
