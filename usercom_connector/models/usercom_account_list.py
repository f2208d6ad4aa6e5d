from odoo import api, fields, models
from odoo.exceptions import UserError


class UsercomAccount(models.Model):
    """The lists that are read from User.com: what has changed, everybody, and companies."""

    _inherit = "usercom.account"

    poll_minutes = fields.Integer(
        "Look for Changes Every (Minutes)",
        default=15,
        required=True,
        tracking=True,
        help="Odoo asks User.com so often what has changed there, in case a call of User.com got "
        "lost. 0: never.",
    )
    poll_at = fields.Datetime("Next Look", compute="_compute_lists")
    polled_at = fields.Datetime("Last Look", compute="_compute_lists")
    survey_state = fields.Selection(
        lambda self: self.env["usercom.stream"]._fields["state"]._description_selection(self.env),
        compute="_compute_lists",
    )
    survey_progress = fields.Char("List of All", compute="_compute_lists")
    stream_ids = fields.One2many("usercom.stream", "account_id", readonly=True)

    _poll_minutes_positive = models.Constraint(
        "CHECK(poll_minutes >= 0)", "The time between two looks for changes cannot be negative."
    )

    @api.depends("stream_ids")
    @api.depends_context("lang")
    def _compute_lists(self):
        for account in self:
            poll, survey = account._stream("poll"), account._stream("survey")
            account.poll_at, account.polled_at = poll.due_at, poll.last_success_at
            account.survey_state = survey.state
            account.survey_progress = survey.state and self.env._(
                "%(state)s: %(contacts)s of %(total)s contacts read, %(linked)s linked, "
                "%(unmatched)s in User.com only",
                state=dict(survey._fields["state"]._description_selection(self.env))[survey.state],
                contacts=survey.contacts,
                total=survey.total,
                linked=survey.linked,
                unmatched=survey.unmatched,
            )

    def action_link_existing(self):
        """Link all that are on both sides, by a list of everybody in User.com. Creates nobody."""
        self.ensure_one()
        if self.state != "running":
            raise UserError(self.env._("Start the account first."))
        self._request_survey()
        return self._notify(
            self.env._("Linking has begun"),
            self.env._(
                "Odoo reads the list of all contacts in User.com, a page at a time, and links "
                "those that are in Odoo, too. Nobody is created."
            ),
            "success",
            sticky=False,
        )

    def action_stop_survey(self):
        """Give up reading the list of all contacts. What was linked stays so."""
        for account in self:
            # sudo: streams are not edited by hand; who may edit the account may stop its work.
            survey = account.sudo()._stream("survey")
            if survey.state in ("requested", "running"):
                survey._end_survey("cancelled")

    def action_compare_consents(self):
        """Compare the consents of all linked contacts on both sides."""
        self.ensure_one()
        if self.state != "running":
            raise UserError(self.env._("Start the account first."))
        self._request_drift()
        return self._notify(
            self.env._("Comparing has begun"),
            self.env._(
                "Odoo reads the list of all contacts in User.com, a page at a time. What differs "
                'stands under "Consents That Differ" then.'
            ),
            "success",
            sticky=False,
        )

    def action_list_companies(self):
        """Read the companies of User.com again now."""
        self._list_companies_soon()

    def _stream(self, direction):
        return self.stream_ids.filtered(lambda stream: stream.direction == direction)

    def _request_survey(self, creates=False):
        # sudo: streams are not edited by hand; this is how an administrator sets one going.
        self.env["usercom.stream"].sudo()._of(self, "survey")._request_survey(creates)

    def _request_drift(self):
        # sudo: as above. One that is under way does.
        stream = self.env["usercom.stream"].sudo()._of(self, "drift")
        if stream.state not in ("requested", "running"):
            stream._request_survey()

    def _plan_poll(self):
        # sudo: as above. An account that was never polled gets its stream with the first round.
        for account in self.sudo():
            account._stream("poll").due_at = account.poll_minutes and fields.Datetime.now()
        self.env["usercom.ping"]._wake()

    def _list_companies_soon(self):
        """Have the companies of User.com listed with the next round."""
        # sudo: only the scheduled actions write to streams; this is all that people may ask of one.
        streams = self.env["usercom.stream"].sudo()
        for account in self:
            streams._of(account, "push").companies_due_at = False
        self.env["usercom.change"]._wake()
