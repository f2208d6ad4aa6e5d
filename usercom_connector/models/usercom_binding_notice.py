from typing import NamedTuple

from odoo import api, fields, models

from ..sync import mapping, merge


class NamesakeThere(NamedTuple):
    """Why an e-mail address was not written: these contacts in User.com have it already."""

    usercom_ids: tuple


class UsercomBinding(models.Model):
    """What of a contact could not travel, and why."""

    _inherit = "usercom.binding"

    refused = fields.Json(readonly=True, help="Values that User.com did not take, not sent again.")
    notices = fields.Json(readonly=True, help="What of the contact could not travel, and why.")
    notice = fields.Text("Could Not Travel", compute="_compute_notice")

    @api.depends("notices")
    @api.depends_context("lang")
    def _compute_notice(self):
        sentence = self.env["usercom.sentence"]
        for binding in self:
            texts = [sentence._of(code, args) for code, args in binding.notices or ()]
            binding.notice = "\n".join(texts) or False

    def _note_unsent(self, snapshot, refusals=()):
        """Note what of the contact cannot travel to User.com now.

        A refusal stands as long as the value that was refused would be sent. After that it is
        forgotten, so that the same value is tried anew when somebody enters it again.

        :param refusals: attribute to User.com's words, for what it has just refused; to ``None``
            for what it has silently not stored.
        """
        refused = self.refused or {}
        if not (refused or refusals):
            self._set_notices("out", snapshot.notices)
            return
        wanted = merge.outgoing(snapshot.rules, snapshot.values, self.base_odoo or {})
        wanted |= self._consents_to_send(snapshot, wanted)
        standing = {
            name: value
            for name, value in refused.items()
            if name in wanted and wanted[name] == value
        }
        if standing != refused:
            self.refused = standing
        kept = [
            (code, args)
            for code, args in self.notices or ()
            if code in ("refused_value", "not_stored", "email_there")
            and args["attribute"] in standing.keys() - set(refusals)
        ]
        new = [
            ("email_there", {"attribute": name, "usercom_ids": list(refusals[name].usercom_ids)})
            if isinstance(refusals[name], NamesakeThere)
            else ("refused_value", {"attribute": name, "reason": refusals[name]})
            if refusals[name]
            else ("not_stored", {"attribute": name})
            for name in refusals
        ]
        self._set_notices("out", snapshot.notices + kept + new)

    def _open_question(self):
        """The facts about a new address that waits for a person, if there is one."""
        return next((args for code, args in self.notices or () if code == "email_there"), None)

    def _ask_again(self):
        """Try again what waits for a person."""
        email = mapping.EMAIL.attribute
        for binding in self.filtered(lambda binding: binding._open_question()):
            binding.refused = {n: v for n, v in (binding.refused or {}).items() if n != email}
            binding.notices = [n for n in binding.notices if n[0] != "email_there"]

    def _set_notices(self, direction, notices):
        """Replace what could not travel in one direction.

        :param notices: list of (code, args) for ``usercom.sentence``.
        """
        known = [(code, args) for code, args in self.notices or ()]
        kept = [(code, args) for code, args in known if args.get("direction") != direction]
        found = kept + [(code, args | {"direction": direction}) for code, args in notices]
        if found != known:
            self.notices = found
