from odoo import api, fields, models

SAME, DIFFERENT, LEFT = "same", "different", "left"


class UsercomVerdict(models.Model):
    """What a person said when it was not sure who somebody is. It is asked about no second time.

    ``same``: these two are one person. ``different``: they are not, whatever they have in common.
    ``left``: nothing is to become of the one on account of the other.
    """

    _name = "usercom.verdict"
    _description = "Answer to Who Is Who"
    _order = "id desc"

    account_id = fields.Many2one(
        "usercom.account", required=True, ondelete="cascade", readonly=True
    )
    partner_id = fields.Many2one(
        "res.partner", "Contact", required=True, index=True, ondelete="cascade", readonly=True
    )
    usercom_id = fields.Char("User.com ID", required=True, readonly=True)
    usercom_url = fields.Char("Profile", compute="_compute_usercom_url")
    answer = fields.Selection(
        [(SAME, "The same person"), (DIFFERENT, "Another person"), (LEFT, "Left as it is")],
        required=True,
        readonly=True,
    )
    user_id = fields.Many2one("res.users", "Answered By", readonly=True)

    _pair_uniq = models.Constraint(
        "UNIQUE(account_id, partner_id, usercom_id)",
        "Who is who is answered once for two contacts.",
    )

    @api.depends("usercom_id", "account_id")
    def _compute_usercom_url(self):
        for verdict in self:
            verdict.usercom_url = verdict.account_id._profile_url(verdict.usercom_id)

    @api.depends("partner_id", "usercom_id")
    @api.depends_context("uid", "allowed_company_ids")
    def _compute_display_name(self):
        readable = self.partner_id._filtered_access("read")
        for verdict in self:
            # sudo: who may see a contact may see the name of the company it belongs to.
            name = (verdict.partner_id & readable).sudo().display_name
            verdict.display_name = f"{name or verdict.partner_id.id} / {verdict.usercom_id}"

    @api.model
    def _answers(self, account, partners, numbers):
        """What was said about these contacts of Odoo and those of User.com.

        :param numbers: User.com IDs.
        :return: dict of (partner id, User.com ID) to answer.
        """
        numbers = [str(number) for number in numbers]
        if not partners or not numbers:
            return {}
        found = self.search_fetch(
            [
                ("account_id", "=", account.id),
                ("partner_id", "in", partners.ids),
                ("usercom_id", "in", numbers),
            ],
            ["partner_id", "usercom_id", "answer"],
        )
        return {(said.partner_id.id, said.usercom_id): said.answer for said in found}

    @api.model
    def _strangers(self, account, partners):
        """Who in User.com is surely not who: partner id to User.com IDs."""
        found = self.search_fetch(
            [
                ("account_id", "=", account.id),
                ("partner_id", "in", partners.ids),
                ("answer", "=", DIFFERENT),
            ],
            ["partner_id", "usercom_id"],
        )
        return {
            partner.id: frozenset(said.mapped("usercom_id"))
            for partner, said in found.grouped("partner_id").items()
        }

    @api.model
    def _say(self, account, pairs, answer, user=None):
        """Remember an answer, in place of what was said before.

        :param pairs: list of (partner, User.com ID).
        """
        wanted = {(partner.id, str(number)) for partner, number in pairs if partner}
        said = self.search(
            [
                ("account_id", "=", account.id),
                ("partner_id", "in", [partner_id for partner_id, _number in wanted]),
                ("usercom_id", "in", [number for _partner_id, number in wanted]),
            ]
        ).filtered(lambda verdict: (verdict.partner_id.id, verdict.usercom_id) in wanted)
        user = user or self.env.user
        said.write({"answer": answer, "user_id": user.id})
        wanted -= {(verdict.partner_id.id, verdict.usercom_id) for verdict in said}
        self.create(
            [
                {
                    "account_id": account.id,
                    "partner_id": partner_id,
                    "usercom_id": number,
                    "answer": answer,
                    "user_id": user.id,
                }
                for partner_id, number in sorted(wanted)
            ]
        )

    @api.model
    def _narrow_down(self, candidates, answers):
        """Who of these may still be meant, by what was said about each.

        :param candidates: of either side.
        :param answers: of each of them, in the same order.
        :return: list of candidates; ``None`` where a person said that nothing is to become of it.
        """
        rated = [(c, a) for c, a in zip(candidates, answers, strict=True) if a != DIFFERENT]
        meant = [candidate for candidate, answer in rated if answer == SAME]
        if len(meant) == 1:
            return meant
        if rated and all(answer == LEFT for _candidate, answer in rated):
            return None
        return [candidate for candidate, _answer in rated]

    @api.model
    def _move(self, src_partners, dst_partner):
        """Keep what was said about contacts that are merged into another one.

        Two answers about one contact of User.com contradict each other: then it is asked anew.
        """
        partners = src_partners | dst_partner
        said = self.search([("partner_id", "in", partners.ids)])
        for about in said.grouped(lambda one: (one.account_id, one.usercom_id)).values():
            if len(set(about.mapped("answer"))) == 1:
                about[1:].unlink()
                about[0].partner_id = dst_partner
            else:
                about.unlink()
        self.flush_model()
