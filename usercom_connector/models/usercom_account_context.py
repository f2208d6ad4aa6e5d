from functools import lru_cache

from odoo import api, models
from odoo.addons.phone_validation.tools.phone_validation import phone_format
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import ormcache
from odoo.tools.mail import email_normalize

from ..sync import converters, mapping, values

#: Of so many texts it is remembered what they mean: a batch asks for the same ones several times.
REMEMBERED_TEXTS = 1024


@lru_cache(REMEMBERED_TEXTS)
def _e164(number, country):
    try:
        return phone_format(number, country, None, force_format="E164")
    except UserError:
        return None  # is no phone number


@lru_cache(REMEMBERED_TEXTS)
def _address(text):
    return email_normalize(text)


class UsercomAccount(models.Model):
    """What converting needs to know besides the values."""

    _inherit = "usercom.account"

    def _context(self):
        """What converting needs to know besides the values.

        A contact without a country is taken to live where the company is. Names that Odoo
        translates are those of no reader's language.
        """
        self = self.with_context(lang=None)
        company = self.company_id or self.env.company
        return converters.Context(
            email=_address,
            phone=_e164,
            country_codes=self._country_codes(),
            country_names=self._country_names("en_US"),
            states=self._states(),
            state_names=self._state_names(),
            country=company.country_id.code or None,
            timezone=self._responsible().tz or "UTC",
            selections=self._selections(),
        )

    def _selections(self):
        """What the fields take that do not take just anything, of those that values come into.

        :return: field to dict of each value, or name, to what is written for it.
        """
        fields_into = {
            rule.odoo_field: self.env["res.partner"]._fields[rule.odoo_field]
            for kind in (mapping.CONTACT, mapping.COMPANY)
            for rule in self._rules(kind)
            if rule.into
        }
        found = {}
        for name, field in fields_into.items():
            if field.type == "selection":
                found[name] = {value: value for value in field.get_values(self.env)}
            elif field.type == "many2many":
                # By the names that go out (``res.partner._usercom_raw``); the first one counts.
                records = self.env[field.comodel_name].search(Domain.TRUE, order="id desc")
                found[name] = {values.text(record.display_name): record.id for record in records}
        return found

    @api.model
    @ormcache()
    def _country_codes(self):
        """Country codes, and country names in English and all installed languages, to the code.

        :return: dict of case-folded text to upper-case code.
        """
        languages = {lang for lang, _name in self.env["res.lang"].get_installed()} | {"en_US"}
        names = [name for lang in languages for name in self._country_names(lang).items()]
        codes = {code.casefold(): code for code, _name in names}
        return {name.casefold(): code for code, name in names} | codes

    @api.model
    @ormcache("lang")
    def _country_names(self, lang):
        """Country code to name. User.com holds the English ones."""
        countries = self.env["res.country"].with_context(lang=lang)
        found = countries.search_fetch([("code", "!=", False)], ["code", "name"])
        return {country.code: country.name for country in found}

    @api.model
    @ormcache()
    def _state_names(self):
        """ "CC-SS" of a country's state to its name."""
        states = self.env["res.country.state"].search_fetch([("code", "!=", False)])
        return {f"{state.country_id.code}-{state.code}": state.name for state in states}

    @api.model
    @ormcache()
    def _states(self):
        """Country code and case-folded name or code of a state to "CC-SS"."""
        found = {}
        for place, name in self._state_names().items():
            country, _dash, code = place.partition("-")
            found[country, code.casefold()] = found[country, name.casefold()] = place
        return found

    @api.model
    @ormcache()
    def _place_ids(self):
        """Country codes, and "CC-SS" of states, to their records' ids."""
        countries = self.env["res.country"].search_fetch([("code", "!=", False)])
        states = self.env["res.country.state"].search_fetch([("code", "!=", False)])
        return {country.code: country.id for country in countries} | {
            f"{state.country_id.code}-{state.code}": state.id for state in states
        }
