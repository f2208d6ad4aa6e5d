from odoo import models


class UsercomAccount(models.Model):
    """What the account asks of the person who is responsible for it."""

    _inherit = "usercom.account"

    def _ask_about_ceiling(self):
        self._ask("ceiling")

    def _ask(self, topic):
        """Give the responsible an activity in their language, unless the same one is still open.

        :param topic: has an activity type of its own, ``mail_activity_<topic>``, and its words in
            :meth:`_question`.
        """
        self.ensure_one()
        kind = f"usercom_connector.mail_activity_{topic}"
        if not self.activity_search([kind]):
            account = self._to_the_responsible()
            summary, note = account._question(topic)
            account.activity_schedule(
                kind, summary=summary, note=note, user_id=account._responsible().id
            )

    def _answered(self, topic):
        """Close the activities that asked for what has been done now."""
        for account in self:
            account.activity_feedback(
                [f"usercom_connector.mail_activity_{topic}"],
                feedback=account._to_the_responsible().env._("This is over now."),
            )

    def _responsible(self):
        return self.user_id or self.env.ref("base.user_admin")

    def _to_the_responsible(self):
        return self.with_context(lang=self._responsible().lang)

    def _question(self, topic):
        if topic == "paused":
            return self.env._("User.com account paused"), self.pause_reason
        if topic == "conflict":
            return self.env._("Fields changed on both sides"), self.env._(
                "Somebody changed the same field of a contact in Odoo and in User.com, and the "
                "mapping says that a person decides. Until then nothing of that field travels. "
                'What waits stands under "Conflicts" on the account.'
            )
        if topic == "drift":
            return self.env._("Consents differ between Odoo and User.com"), self.env._(
                "Odoo and User.com disagree about a consent, and nothing that waits is going to "
                "settle it. Which ones they are, and what to do about each, stands under "
                '"Consents That Differ" on the account.'
            )
        if topic == "withdrawal":
            return self.env._("A withdrawn consent has not reached User.com"), self.env._(
                "Somebody withdrew a consent more than an hour ago, and User.com does not know "
                "yet, so they may still be written to from there. The reason stands under "
                '"To Send" or "Need a Person" on the account. If it lasts, set it in User.com by '
                "hand. This closes by itself when the withdrawal is there."
            )
        return self.env._("Daily ceiling of creations reached"), self.env._(
            "%(limit)s contacts were created within a day, so further ones wait. Raise "
            '"Creations a Day" on the account if that is what you want.',
            limit=self.creation_limit,
        )
