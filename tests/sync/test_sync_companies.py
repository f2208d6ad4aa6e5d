"""By what a company is taken for another one."""

from hypothesis import given
from hypothesis import strategies as st
from odoo.addons.usercom_connector.sync.companies import Index, Known, folded

names = st.sampled_from(["Firma", " firma ", "FIRMA", "Firma S.A.", "", None])
emails = st.sampled_from(["a@e.com", "A@E.com ", "b@e.com", "", None])
known = st.builds(Known, st.integers(1, 9).map(str), emails, names)
lists = st.lists(known, unique_by=lambda one: one.number)


def test_case_and_spaces_do_not_count_but_the_legal_form_does():
    assert folded("  FIRMA\u00a0 Łódź ") == folded("firma łódź")
    assert folded("Straße") == folded("STRASSE")
    assert folded("Firma S.A.") != folded("Firma")
    assert folded(" ") is None


def test_an_address_counts_for_more_than_a_name():
    index = Index([Known("1", "a@e.com", "Inna"), Known("2", "b@e.com", "Firma")])
    assert index.candidates("a@e.com", "Firma") == ["1"]
    assert index.candidates("c@e.com", "Firma") == ["2"]
    assert index.candidates(None, None) == []


@given(lists, emails, names)
def test_whoever_has_the_address_or_else_the_name(found, email, name):
    same_address = [o.number for o in found if folded(email) and folded(o.email) == folded(email)]
    same_name = [o.number for o in found if folded(name) and folded(o.name) == folded(name)]
    assert Index(found).candidates(email, name) == (same_address or same_name)


@given(lists, names)
def test_who_has_no_address_is_nobody_elses_namesake_by_it(found, name):
    assert Index(found).candidates(None, name) == Index(found).candidates("", name)
