"""Values and servers that the property tests of the rules draw from."""

import re

from hypothesis import strategies as st
from odoo.addons.usercom_connector.sync import values
from odoo.addons.usercom_connector.sync.mapping import FieldRule

#: Short, so that two draws are often equal, and such that each habit below changes some of them.
WORDS = [
    "a",
    "b",
    "Anna",
    "anna",
    "Łódź",
    "🎉 Ola",
    "12 34",
    "+48600100200",
    "x" * 70,
    "Żaneta " * 9,
]

filled = st.sampled_from([values.text(word) for word in WORDS]) | st.text(min_size=1).map(
    values.text
).filter(bool)
canonical = st.none() | filled

#: What a server may make of a text before it stores it.
HABITS = {
    "exact": lambda text: text,
    "lower": str.lower,
    "cut": lambda text: text[:40],
    "cut with mark": lambda text: text if len(text) <= 40 else text[:37] + "...",
    "phones": lambda text: re.sub(r"[^\d+]", "", text) if re.fullmatch(r"[\d +]+", text) else text,
    "lower and cut": lambda text: text.lower()[:40],
}
habits = st.sampled_from(sorted(HABITS))


def stored(habit: str, value: str | None) -> str | None:
    """What a read shows after this value was written."""
    return None if value is None else values.text(HABITS[habit](value))


def rules(**fixed: st.SearchStrategy[bool]) -> st.SearchStrategy[list[FieldRule]]:
    """Rules for the attributes f0, f1, f2; ``fixed`` overrides what is drawn for a switch."""
    switches = {
        "out": st.booleans(),
        "into": st.booleans(),
        "winner": st.sampled_from(["odoo", "usercom", "ask"]),
    }
    switches["removals"] = st.booleans()
    one = st.fixed_dictionaries(switches | fixed)
    return st.tuples(one, one, one).map(
        lambda drawn: [FieldRule(f"f{i}", f"f{i}", **vals) for i, vals in enumerate(drawn)]
    )


def sides(
    value: st.SearchStrategy[str | None] = canonical,
) -> st.SearchStrategy[dict[str, str | None]]:
    """What one side holds in f0, f1, f2."""
    return st.fixed_dictionaries({"f0": value, "f1": value, "f2": value})
