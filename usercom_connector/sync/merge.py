"""Merging by three: what each side holds now against what each held when they last agreed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .mapping import ASK, ODOO_WINS, FieldRule
from .values import alike

Values = Mapping[str, Any]


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


#: Stands for "there is no base yet", which is something else than a base of ``None``.
MISSING: Any = _Missing()

#: Stands in the base of Odoo's side for "written, but the answer has not come". It equals no
#: value, so whatever Odoo holds by then goes out, also what was changed back or emptied meanwhile.
UNANSWERED: Any = {"unanswered": True}


@dataclass
class Merged:
    """What a merge found.

    ``into`` is to be written into Odoo, ``out`` into User.com (attribute to canonical value).
    ``base_odoo`` and ``base_usercom`` are the whole new bases; what is in ``out`` keeps its old
    base on Odoo's side until User.com has confirmed it, or gets the value that lost against it.
    ``asked`` holds what a person is to decide: attribute to Odoo's and User.com's value. Their
    bases stay, so the next read finds the same again until somebody has decided.
    """

    base_odoo: dict[str, Any]
    base_usercom: dict[str, Any]
    into: dict[str, Any] = field(default_factory=dict)
    out: dict[str, Any] = field(default_factory=dict)
    asked: dict[str, tuple[Any, Any]] = field(default_factory=dict)


def outgoing(rules: Iterable[FieldRule], odoo: Values, base_odoo: Values) -> dict[str, Any]:
    """What Odoo's side has to send, without a look at User.com's.

    A value without a base is sent unless it is blank: what was never filled wipes nothing.

    :param odoo: attribute to canonical value now; what cannot be sent is left out.
    :return: attribute to canonical value.
    """
    return {
        rule.attribute: odoo[rule.attribute]
        for rule in rules
        if rule.out
        and rule.attribute in odoo
        and _is_edit(rule, odoo[rule.attribute], base_odoo.get(rule.attribute, MISSING))
    }


def _is_edit(rule: FieldRule, ours: Any, base: Any) -> bool:
    """Whether Odoo's value is one that somebody entered, or removed, since both sides agreed."""
    if ours == base or (base is MISSING and ours is not MISSING and not ours):
        return False  # also an unticked box and a zero that nobody has entered
    return ours is not None or rule.removals


def merge(
    rules: Iterable[FieldRule],
    odoo: Values,
    usercom: Values,
    base_odoo: Values,
    base_usercom: Values,
) -> Merged:
    """Compare a read of User.com with what Odoo holds now.

    :param odoo: attribute to canonical value; an attribute that Odoo holds in a form that cannot
        be compared (a phone that is none, say) is left out.
    :param usercom: the same for the read; what the answer did not show is left out.
    :param base_odoo: Odoo's values when both sides last agreed.
    :param base_usercom: User.com's values as last read.
    """
    merged = Merged(dict(base_odoo), dict(base_usercom))
    for rule in rules:
        if rule.attribute in usercom:
            _merge_field(rule, merged, odoo.get(rule.attribute, MISSING), usercom[rule.attribute])
        elif rule.attribute in odoo:
            merged.out.update(outgoing([rule], odoo, base_odoo))
    return merged


def _merge_field(rule: FieldRule, merged: Merged, ours: Any, theirs: Any) -> None:
    name = rule.attribute
    base_ours = merged.base_odoo.get(name, MISSING)
    base_theirs = merged.base_usercom.get(name, MISSING)
    merged.base_usercom[name] = theirs

    # What a call is on its way to change may be read before it arrives: only its answer settles it.
    settles = base_ours != UNANSWERED
    if ours == theirs:
        if settles:
            merged.base_odoo[name] = ours
        return
    first_meeting = base_ours is MISSING and base_theirs is MISSING
    # A value that cannot be sent is an edit, too, where there was another one before.
    ours_changed = _is_edit(rule, ours, base_ours)
    theirs_changed = _is_edit_there(ours, theirs, base_ours, base_theirs)
    comes_in = (
        theirs_changed
        and rule.into
        and (theirs is not None or rule.removals)
        # What somebody typed in Odoo stays at a first meeting, even if it is no proper value.
        and not (first_meeting and ours is MISSING)
    )
    is_conflict = comes_in and ours_changed and rule.out
    if is_conflict and rule.winner == ASK and ours is not MISSING:
        merged.asked[name] = (ours, theirs)
        merged.base_usercom.pop(name)
        if base_theirs is not MISSING:
            merged.base_usercom[name] = base_theirs
    elif comes_in and not (is_conflict and rule.winner == ODOO_WINS):
        merged.into[name] = theirs
        merged.base_odoo[name] = theirs
    elif ours_changed and rule.out and ours is not MISSING:
        merged.out[name] = ours
        if theirs_changed and settles:
            # The loser is what Odoo's value is to replace, also if that is changed back meanwhile.
            merged.base_odoo[name] = theirs


def _is_edit_there(ours: Any, theirs: Any, base_ours: Any, base_theirs: Any) -> bool:
    if base_theirs is not MISSING:
        return bool(theirs != base_theirs)
    if base_ours is MISSING:
        return bool(theirs)  # a first meeting: a blank there is none of somebody's making
    # Written, but never read back: a first read settles it, unless it shows something that no
    # storing of ours explains. Then somebody edited it over there.
    return not alike(base_ours, theirs)
