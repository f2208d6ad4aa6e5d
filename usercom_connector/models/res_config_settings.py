from odoo import fields, models

#: So many accounts are named in the settings; the list has them all.
ACCOUNTS_NAMED = 5


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    usercom_summary = fields.Text(compute="_compute_usercom_summary")

    def _compute_usercom_summary(self):
        accounts = self.env["usercom.account"].search([], limit=ACCOUNTS_NAMED)
        states = dict(accounts._fields["state"]._description_selection(self.env))
        lines = []
        for account in accounts:
            names = {"account": account.name, "state": states[account.state]}
            if account.parked_count:
                line = self.env._(
                    "%(account)s: %(state)s, need a person: %(count)s",
                    count=account.parked_count,
                    **names,
                )
            else:
                line = self.env._("%(account)s: %(state)s", **names)
            lines.append(line)
        self.usercom_summary = "\n".join(lines) or self.env._("No account is connected yet.")
