from datetime import datetime

from odoo import api, models
from odoo.tools import format_date, format_datetime

from ..sync import consent, merge


class UsercomSentence(models.AbstractModel):
    """The words for everything that can go wrong.

    Rows keep a code and its facts, so that each reader gets the sentence in their own language:
    what happened, to which record, and what to do.
    """

    _name = "usercom.sentence"
    _description = "User.com Sentences"

    @api.model
    def _of(self, code, args=None):
        """The sentence for a code.

        :param code: one of the keys below; ``False`` gives ``False``.
        :param args: dict of the facts that the sentence names.
        """
        if not code:
            return False
        method = getattr(self, f"_say_{code}", None)
        return method(**(args or {})) if method else code

    @api.model
    def _field_name(self, attribute):
        # sudo: only the name of a field, in a sentence about a contact that the reader may see.
        consents = self.env["usercom.consent.attribute"].sudo().with_context(active_test=False)
        if consent_line := consents.search([("name", "=", attribute)], limit=1):
            return consent_line.purpose_id.name
        if attribute == consent.UNSUBSCRIBED:
            return self.env["usercom.consent.purpose"].sudo()._email().name
        lines = self.env["usercom.mapping"].sudo()
        line = lines.search([("attribute_id.name_std", "=", attribute)], limit=1)
        return line.odoo_label or attribute

    @api.model
    def _value(self, value, converter=None):
        """A canonical value (``sync.converters``) as a person reads it; ``False`` for nothing.

        :param converter: by which it became canonical.
        """
        accounts = self.env["usercom.account"]
        if value is None or (value is False and converter not in ("boolean", "yes_no")):
            return False
        if value == merge.UNANSWERED:
            return self.env._("(sent, the answer is not known)")
        if isinstance(value, bool):
            return self.env._("Yes") if value else self.env._("No")
        if isinstance(value, list):
            return ", ".join(map(str, value)) or False
        if converter == "country":
            return accounts._country_names(self.env.lang or "en_US").get(value, value)
        if converter == "state":
            return accounts._state_names().get(value, value)
        if converter == "datetime":
            moment = datetime.fromisoformat(value).replace(tzinfo=None)
            return format_datetime(self.env, moment, tz=self.env.context.get("tz"))
        if converter in ("date", "date_in_timezone"):
            return format_date(self.env, value)
        return str(value)

    @api.model
    def _contact_names(self, partner_ids):
        partners = self.env["res.partner"].browse(partner_ids).exists()
        readable = self._readable(partners)
        return ", ".join(
            f"{partner.sudo().display_name} ({partner.id})"  # sudo: the name of its company, too
            if partner in readable
            else self.env._("contact %(number)s, which you may not see", number=partner.id)
            for partner in partners
        )

    @api.model
    def _readable(self, records):
        """Those of the records that the reader of a sentence may read, also where code asks."""
        return records.sudo(False)._filtered_access("read")

    # === USER.COM CANNOT BE REACHED FOR NOW === #

    @api.model
    def _say_unknown_host(self, **args):
        return self.env._(
            "No server answers to this subdomain's name. Check the subdomain on the account, and "
            "that this server can look up names on the Internet."
        )

    @api.model
    def _say_tls(self, **args):
        return self.env._(
            "The server's certificate could not be verified, so nothing was sent. Check this "
            "server's clock and its certificates, and any proxy in between."
        )

    @api.model
    def _say_connection(self, **args):
        return self.env._(
            "The connection to User.com was refused or broke off. It is tried again by itself; if "
            "it goes on, check this server's network and firewall."
        )

    @api.model
    def _say_timeout(self, **args):
        return self.env._("User.com did not answer in time. It is tried again by itself.")

    @api.model
    def _say_not_json(self, **args):
        return self.env._(
            "The answer was not User.com's usual one. It is tried again by itself; if it goes on, "
            "check the subdomain, and any proxy in between."
        )

    @api.model
    def _say_too_large(self, **args):
        return self.env._(
            "User.com's answer was too large to be right. It is tried again by itself; if it goes "
            "on, check the subdomain, and any proxy in between."
        )

    @api.model
    def _say_server(self, **args):
        return self.env._("User.com reports a fault of its own. It is tried again by itself.")

    @api.model
    def _say_throttled(self, **args):
        return self.env._(
            "User.com asks for fewer calls at a time. The work goes on by itself in a moment."
        )

    # === THE ACCOUNT === #

    @api.model
    def _say_unauthorised(self, **args):
        return self.env._(
            "User.com does not know this REST key. Make a new one in User.com under Settings, "
            "App settings, Advanced, Public API, paste it into the account and test the connection."
        )

    @api.model
    def _say_forbidden(self, **args):
        return self.env._(
            "User.com refuses this REST key. Check the key's scope (it must read and write) and "
            "its list of allowed addresses in User.com, then test the connection."
        )

    @api.model
    def _say_forbidden_read(self, **args):
        return self.env._(
            "The REST key may write but not read. Give it the scope to read and write in User.com "
            "under Settings, App settings, Advanced, Public API."
        )

    @api.model
    def _say_forbidden_write(self, **args):
        return self.env._(
            "The REST key may read but not write. Give it the scope to read and write in User.com "
            "under Settings, App settings, Advanced, Public API."
        )

    @api.model
    def _say_forbidden_address(self, **args):
        return self.env._(
            "User.com refuses this REST key for reading and for writing: most likely this server's "
            "address is not on the key's list of allowed addresses. Add it in User.com."
        )

    @api.model
    def _say_not_found(self, **args):
        return self.env._(
            "There is no User.com API at this address. Check the subdomain: it is the first part "
            "of the address in your browser when you use User.com."
        )

    @api.model
    def _say_redirect(self, **args):
        return self.env._(
            "This address sends callers elsewhere, so it is not a User.com application. Check the "
            "subdomain."
        )

    @api.model
    def _say_no_key(self, **args):
        return self.env._("Enter the subdomain and the REST key first.")

    @api.model
    def _say_unclear_filter(self, **args):
        return self.env._(
            "The filter of who takes part cannot be understood any more, perhaps because an app "
            "was uninstalled whose field it names. Nothing is sent or read, and nothing is lost, "
            "until the filter is corrected on the User.com account."
        )

    @api.model
    def _say_bad_base_url(self, **args):
        return self.env._(
            "USERCOM_BASE_URL in this server's environment cannot be used. Make it a plain address "
            "such as http://localhost:8080, without a path, or remove it; then restart the server."
        )

    @api.model
    def _say_bad_subdomain(self, **args):
        return self.env._(
            "The subdomain on the account is none of User.com's, so nothing was called. Correct it "
            "and test the connection: it is the first part of the address in your browser when you "
            "use User.com."
        )

    @api.model
    def _say_other_database(self, **args):
        return self.env._(
            "This account was connected in another database, and this one looks like a copy of it. "
            'It does nothing here. If this is not a copy, open the account and click "Use in this '
            'database"; in a copy, leave it as it is.'
        )

    @api.model
    def _say_ok(self, **args):
        return self.env._("User.com answers, and the key may read and write.")

    @api.model
    def _say_neutralized(self, **args):
        return self.env._(
            "This database is a neutralized copy: the REST key and the webhook's secret were "
            "removed. Archive this account, and connect a test application in an account of its "
            "own."
        )

    @api.model
    def _say_by_hand(self, **args):
        return self.env._("Somebody paused it. Changes wait until it is started again.")

    # === ONE RECORD === #

    @api.model
    def _say_refused(self, fields=None, **args):
        return self.env._(
            "User.com refused this contact: %(reasons)s. Correct the contact; saving it sends it "
            "again.",
            reasons="; ".join(
                f"{self._field_name(name)}: {' '.join(texts)}"
                for name, texts in (fields or {}).items()
            )
            or self.env._("no reason given"),
        )

    @api.model
    def _say_several_there(self, usercom_ids=(), **args):
        return self.env._(
            "Several contacts in User.com have this e-mail address or phone number (numbers "
            "%(numbers)s), so it is not sure which one this is. Merge them in User.com and try "
            "again, or click Settle to say who it is.",
            numbers=", ".join(usercom_ids),
        )

    @api.model
    def _say_taken_there(self, usercom_id="", partner_id=None, **args):
        return self.env._(
            "User.com's contact %(number)s has this e-mail address or phone number, but belongs to "
            "%(contact)s in Odoo. Click Settle to say who is who, give one of the two another "
            "address, or merge them in Odoo.",
            number=usercom_id,
            contact=self._contact_names([partner_id]),
        )

    @api.model
    def _say_several_companies_there(self, usercom_ids=(), **args):
        return self.env._(
            "Several companies in User.com have this e-mail address or name (numbers "
            "%(numbers)s), so it is not sure which one this is. Leave one of them there, or tell "
            "them apart by their addresses, then try again.",
            numbers=", ".join(usercom_ids),
        )

    @api.model
    def _say_company_taken_there(self, usercom_id="", partner_id=None, **args):
        return self.env._(
            "User.com's company %(number)s has this e-mail address or name, but belongs to "
            "%(contact)s in Odoo. Give one of the two another name or address, or merge them in "
            "Odoo.",
            number=usercom_id,
            contact=self._contact_names([partner_id]),
        )

    @api.model
    def _say_company_being_created(self, partner_id=None, **args):
        return self.env._(
            "%(contact)s has this name or e-mail address too, and is being created in User.com. "
            "This is tried again by itself after that; if it goes on, see why that company waits.",
            contact=self._contact_names([partner_id]),
        )

    @api.model
    def _say_listing_companies(self, **args):
        return self.env._(
            "The companies in User.com are being read, to see whether this one is among them. It "
            "goes on by itself."
        )

    @api.model
    def _say_several_here(self, partner_ids=(), **args):
        return self.env._(
            "Several contacts in Odoo have this e-mail address or phone number: %(contacts)s. "
            "Merge them and try again, or click Settle to say who it is.",
            contacts=self._contact_names(partner_ids),
        )

    @api.model
    def _say_taken_here(self, partner_ids=(), **args):
        return self.env._(
            "%(contact)s has this e-mail address or phone number in Odoo, but belongs to another "
            "contact in User.com. Click Settle to say who is who.",
            contact=self._contact_names(partner_ids),
        )

    @api.model
    def _say_not_taking_part(self, partner_ids=(), **args):
        return self.env._(
            "%(contact)s has this e-mail address or phone number in Odoo, but is no person who "
            "takes part: companies are no people, and addresses and internal users stay in Odoo. "
            "Nothing was created beside it. If this is somebody else, give one of the two another "
            "address and try again, or click Settle to say who it is.",
            contact=self._contact_names(partner_ids),
        )

    @api.model
    def _say_user_id_taken(self, partner_id=None, **args):
        return self.env._(
            "This User ID belongs to %(contact)s in Odoo, which is tied to another contact in "
            "User.com. Merge the two in User.com and try again, or click Settle to say who it is.",
            contact=self._contact_names([partner_id]),
        )

    @api.model
    def _say_email_there(self, usercom_ids=(), **args):
        return self.env._(
            "The new e-mail was not sent, because another contact in User.com has it already "
            "(numbers %(numbers)s). The rest of the contact was sent. Click Settle on the row "
            "under Changes to Send to join the two, or to say that they are two people.",
            numbers=", ".join(usercom_ids),
        )

    @api.model
    def _say_deleted_here(self, **args):
        return self.env._(
            "Somebody with this e-mail address or phone number was deleted in Odoo, so this "
            "contact was not created. Click Settle to say whether it may be."
        )

    @api.model
    def _say_creation_off(self, **args):
        return self.env._(
            "This contact is not in Odoo yet, and creating contacts in Odoo is switched off on the "
            "account. Switch it on there, or ignore this row."
        )

    @api.model
    def _say_ceiling(self, limit=0, **args):
        return self.env._(
            "%(limit)s contacts were created today, which is the account's daily ceiling. This one "
            "waits until tomorrow, or until somebody raises the ceiling.",
            limit=limit,
        )

    @api.model
    def _say_busy(self, **args):
        return self.env._("Somebody is saving this contact right now. It is tried again at once.")

    @api.model
    def _say_alone(self, **args):
        return self.env._(
            "User.com did not take this value for many contacts at a time. It is sent contact by "
            "contact."
        )

    @api.model
    def _say_listing(self, **args):
        return self.env._(
            "Everybody in User.com is listed first, so that nobody is created there twice. It goes "
            "on by itself when the list has been read."
        )

    @api.model
    def _say_list_refused(self, **args):
        return self.env._(
            "User.com refused to list its contacts. It is tried again by itself; if it goes on, "
            "test the connection."
        )

    @api.model
    def _say_being_created(self, partner_id=None, **args):
        return self.env._(
            "%(contact)s has this e-mail address or phone number too, and is being created in "
            "User.com. This is tried again by itself after that; if it goes on, see why that "
            "contact waits.",
            contact=self._contact_names([partner_id]),
        )

    @api.model
    def _say_no_address(self, **args):
        return self.env._(
            "This contact was not created in User.com, because it has neither an e-mail nor a "
            "phone that can be sent: one valid address, or a number with its country code. Correct "
            "one of them; saving the contact tries again."
        )

    @api.model
    def _say_no_identity(self, **args):
        return self.env._(
            "This call named no contact. In User.com's automation, switch \"Exclude user info from "
            'call" off, as the Webhook page of the account says.'
        )

    @api.model
    def _say_unexpected(self, error="", **args):
        return self.env._(
            "Something went wrong that nobody foresaw (%(error)s). Try again; if it comes back, "
            "give the technical details to your administrator.",
            error=error,
        )

    # === ONE VALUE, WHILE THE REST OF THE CONTACT GOES === #

    @api.model
    def _say_too_long(self, attribute="", limit=0, **args):
        return self.env._(
            "%(field)s was not sent: User.com takes at most %(limit)s characters. Shorten it.",
            field=self._field_name(attribute),
            limit=limit,
        )

    @api.model
    def _say_name_too_long(self, limit=0, **args):
        return self.env._(
            "The name was not sent: User.com takes at most %(limit)s characters for the first word "
            "and as many for the rest. Shorten it.",
            limit=limit,
        )

    @api.model
    def _say_not_an_email(self, **args):
        return self.env._("The e-mail was not sent: it is not one valid address. Correct it.")

    @api.model
    def _say_not_a_phone(self, **args):
        return self.env._(
            "The phone was not sent: it is not a valid number. Correct it, or add the country code."
        )

    @api.model
    def _say_not_an_email_there(self, **args):
        return self.env._(
            "The e-mail in User.com is not a valid address, so Odoo keeps its own. Correct it in "
            "User.com."
        )

    @api.model
    def _say_not_a_phone_there(self, **args):
        return self.env._(
            "The phone in User.com is not a valid number, so Odoo keeps its own. Correct it in "
            "User.com, or add the country code there."
        )

    @api.model
    def _say_unknown_country(self, value="", **args):
        return self.env._(
            'The country in User.com, "%(value)s", is not one that Odoo knows, so Odoo keeps its '
            "own. Correct it in User.com.",
            value=value,
        )

    @api.model
    def _say_unknown_region(self, value="", **args):
        return self.env._(
            'The region in User.com, "%(value)s", is not one that Odoo knows in the contact\'s '
            "country, so Odoo keeps its own. Correct it, or the country, in User.com.",
            value=value,
        )

    @api.model
    def _say_unknown_choice(self, attribute="", value="", **args):
        return self.env._(
            '%(field)s was not sent: "%(value)s" is not in the value table of its mapping line. '
            "Add it there, or choose another value.",
            field=self._field_name(attribute),
            value=value,
        )

    @api.model
    def _say_unknown_choice_there(self, attribute="", value="", **args):
        return self.env._(
            '%(field)s in User.com says "%(value)s", which did not come in: it is neither in the '
            "value table of its mapping line nor a value that Odoo has. Add it to one of them, or "
            "correct it in User.com.",
            field=self._field_name(attribute),
            value=value,
        )

    @api.model
    def _say_wrong_type_there(self, attribute="", **args):
        return self.env._(
            "%(field)s in User.com is not a value of the kind that Odoo needs, so Odoo keeps its "
            "own. Correct it in User.com.",
            field=self._field_name(attribute),
        )

    @api.model
    def _say_several_values_there(self, attribute="", **args):
        return self.env._(
            "%(field)s has several values in User.com, and Odoo takes one, so Odoo keeps its own. "
            "Leave one in User.com.",
            field=self._field_name(attribute),
        )

    @api.model
    def _say_not_a_number(self, attribute="", **args):
        return self.env._(
            "%(field)s was not sent: it is not a number. Correct it.",
            field=self._field_name(attribute),
        )

    @api.model
    def _say_not_stored(self, attribute="", **args):
        return self.env._(
            "%(field)s was sent, but User.com goes on showing the opposite. Look for an automation "
            "in User.com that sets it.",
            field=self._field_name(attribute),
        )

    @api.model
    def _say_conflict(self, attribute="", **args):
        return self.env._(
            "%(field)s was changed on both sides; somebody has to decide.",
            field=self._field_name(attribute),
        )

    @api.model
    def _say_refused_value(self, attribute="", reason="", **args):
        return self.env._(
            "%(field)s was not taken by User.com: %(reason)s Correct it; the rest of the contact "
            "was sent.",
            field=self._field_name(attribute),
            reason=reason,
        )

    # === TRYING THE MAPPING === #

    @api.model
    def _say_trial_gone(self, **args):
        return self.env._("Deleted in User.com, so nothing travels.")

    @api.model
    def _say_trial_in_step(self, **args):
        return self.env._("Both sides are in step: nothing would be sent or written.")

    @api.model
    def _say_trial_first_meeting(self, usercom_id="", **args):
        return self.env._(
            "User.com's number %(number)s is taken for the same one. The two would be linked, and "
            "what one side lacks would come from the other.",
            number=usercom_id,
        )

    # === THE MAPPING === #

    @api.model
    def _say_map_no_attribute(self, **args):
        return self.env._("No attribute is chosen. Choose one, or create it in User.com.")

    @api.model
    def _say_map_unknown_field(self, path="", **args):
        return self.env._(
            "There is no field %(path)s on contacts. If the app it belonged to was uninstalled, "
            "choose another field or remove this line.",
            path=path,
        )

    @api.model
    def _say_map_rights(self, path="", **args):
        return self.env._(
            "%(path)s cannot be mapped: users, companies of this database and access rights never "
            "travel. Of a user, only the name, e-mail, phone and job position go to User.com, for "
            "example user_id.email.",
            path=path,
        )

    @api.model
    def _say_map_bank(self, path="", **args):
        return self.env._("%(path)s cannot be mapped: bank data never travel.", path=path)

    @api.model
    def _say_map_accounting(self, path="", **args):
        return self.env._(
            "%(path)s cannot be mapped: accounting and payments never travel.", path=path
        )

    @api.model
    def _say_map_technical(self, path="", **args):
        return self.env._(
            "%(path)s cannot be mapped: files, secrets and technical records never travel.",
            path=path,
        )

    @api.model
    def _say_map_restricted(self, path="", **args):
        return self.env._(
            "%(path)s cannot be mapped: it is shown to some employees only, and in User.com others "
            "would see it.",
            path=path,
        )

    @api.model
    def _say_map_own(self, path="", **args):
        return self.env._(
            "%(path)s cannot be mapped: this connector manages it by itself.", path=path
        )

    @api.model
    def _say_map_consent(self, path="", **args):
        return self.env._(
            "%(path)s cannot be mapped: consents, unsubscriptions and blacklists have rules of "
            "their own, so that a no is never lost.",
            path=path,
        )

    @api.model
    def _say_map_identity(self, path="", **args):
        return self.env._(
            "%(path)s cannot be mapped: it says who a contact is, and this connector fills it.",
            path=path,
        )

    @api.model
    def _say_map_structure(self, path="", **args):
        return self.env._(
            "%(path)s cannot be mapped: it says what a contact is and where it belongs in Odoo.",
            path=path,
        )

    @api.model
    def _say_map_many(self, path="", **args):
        return self.env._(
            "%(path)s cannot be mapped: the path leads through several records at once. Choose a "
            "path through single ones, for example country_id.code.",
            path=path,
        )

    @api.model
    def _say_map_into_path(self, path="", **args):
        return self.env._(
            "%(path)s belongs to another record, so its value can only go to User.com. Change the "
            "direction, or choose a field of the contact itself.",
            path=path,
        )

    @api.model
    def _say_map_into_relation(self, path="", **args):
        return self.env._(
            "%(path)s points to other records, so its value can only go to User.com. Of such "
            "fields, only the country, the state and the tags can be filled from there.",
            path=path,
        )

    @api.model
    def _say_map_into_computed(self, path="", **args):
        return self.env._(
            "%(path)s cannot be written in Odoo, so its value can only go to User.com. Change the "
            "direction.",
            path=path,
        )

    @api.model
    def _say_attribute_gone(self, name="", **args):
        return self.env._(
            'The attribute "%(name)s" is gone from User.com. Choose another one, or create it '
            "there again: then this line goes on by itself.",
            name=name,
        )

    @api.model
    def _say_attribute_renamed(self, before=None, now=None, **args):
        return self.env._(
            'In User.com this attribute was "%(before)s" and is now "%(now)s". If it still means '
            "the same, acknowledge it; if not, choose another one.",
            before=self._attribute_words(before),
            now=self._attribute_words(now),
        )

    @api.model
    def _say_attribute_retyped(self, before=None, now=None, **args):
        return self.env._(
            'In User.com this attribute was of the type "%(before)s" and is now "%(now)s". If that '
            "is right, acknowledge it; if not, choose another one.",
            before=self._type_words(before),
            now=self._type_words(now),
        )

    @api.model
    def _say_attribute_refused(self, name="", fields=None, **args):
        return self.env._(
            'User.com did not create the attribute "%(name)s": %(reasons)s',
            name=name,
            reasons="; ".join(
                f"{field}: {' '.join(texts)}" for field, texts in (fields or {}).items()
            )
            or self.env._("no reason given"),
        )

    @api.model
    def _attribute_words(self, signature):
        name, key = ((signature or {}).get(part) or "?" for part in ("name", "name_std"))
        return f"{name} ({key})"

    @api.model
    def _type_words(self, signature):
        value_type = (signature or {}).get("value_type") or "?"
        if (signature or {}).get("multiple"):
            return self.env._("%(type)s, several choices", type=value_type)
        return value_type

    @api.model
    def _converter_name(self, converter):
        """What a converter of ``sync.converters`` does, in a word."""
        names = {
            "text": self.env._("As one line of text"),
            "lines": self.env._("As text, lines kept"),
            "html_text": self.env._("As text, without formatting"),
            "name": self.env._("First name and last name"),
            "email": self.env._("As an e-mail address"),
            "phone": self.env._("As an international phone number"),
            "country": self.env._("Country by its English name"),
            "state": self.env._("State by its name"),
            "boolean": self.env._("Yes or no"),
            "yes_no": self.env._("Yes or no, as text"),
            "integer": self.env._("Whole number"),
            "float": self.env._("Number"),
            "date": self.env._("Date"),
            "datetime": self.env._("Date and time"),
            "date_in_timezone": self.env._("The day, in the responsible's time zone"),
            "choice": self.env._("By the table of values"),
            "list": self.env._("List of names"),
            "joined": self.env._("Names with commas between them"),
        }
        return names.get(converter, converter)

    @api.model
    def _say_map_out_unwritable(self, name="", **args):
        return self.env._(
            "User.com fills %(name)s by itself, so values can only come into Odoo.", name=name
        )

    @api.model
    def _say_map_into_unreadable(self, name="", **args):
        return self.env._(
            "%(name)s shows more in User.com than what Odoo sent, so values can only go to "
            "User.com. Change the direction.",
            name=name,
        )

    # Pairs of types: the codes are those of ``sync.pairs``.

    @api.model
    def _say_pair_one_way(self, path="", **args):
        return self.env._(
            "What goes from %(path)s to this attribute does not lead back to the value, so it can "
            "only go to User.com. Change the direction, or choose an attribute of another type.",
            path=path,
        )

    @api.model
    def _say_pair_owned(self, path="", **args):
        return self.env._(
            "%(path)s lists records that belong to the contact and cannot be made of a name, so "
            "their names can only go to User.com. Change the direction.",
            path=path,
        )

    @api.model
    def _say_pair_needs_path(self, path="", **args):
        return self.env._(
            "%(path)s is another record. Choose what of it is meant, for example %(path)s.name.",
            path=path,
        )

    @api.model
    def _say_pair_no_value(self, odoo_type="", value_type="", **args):
        return self.env._(
            "A field of the type %(odoo)s holds nothing that User.com's type %(theirs)s could "
            "take. Choose another field or another attribute.",
            odoo=odoo_type,
            theirs=value_type or "?",
        )

    @api.model
    def _say_pair_json(self, path="", **args):
        return self.env._(
            "The attribute is of the type json, which only takes lists: %(path)s is a single "
            "value. Choose an attribute of another type.",
            path=path,
        )

    @api.model
    def _say_pair_one_of_many(self, path="", **args):
        return self.env._(
            "%(path)s may have several values and this attribute takes one. Choose an attribute "
            "that allows several choices, or one of the type string.",
            path=path,
        )

    @api.model
    def _say_pair_many_of_one(self, path="", **args):
        return self.env._(
            "This attribute is a list and %(path)s is a single value. Choose another one.",
            path=path,
        )

    @api.model
    def _say_pair_lossy(self, path="", **args):
        return self.env._(
            "%(path)s may have decimals, which this attribute of the type integer would lose. "
            "Choose an attribute of the type float.",
            path=path,
        )

    @api.model
    def _say_pair_any_text(self, path="", value_type="", **args):
        return self.env._(
            "%(path)s may hold any text and this attribute takes only values of the type "
            "%(theirs)s. Choose an attribute of the type string.",
            path=path,
            theirs=value_type,
        )

    @api.model
    def _say_pair_no_match(self, path="", odoo_type="", value_type="", **args):
        return self.env._(
            "%(path)s is of the type %(odoo)s, which does not fit this attribute of the type "
            "%(theirs)s. Choose an attribute of another type.",
            path=path,
            odoo=odoo_type,
            theirs=value_type,
        )
