from odoo import api, models


class MailThread(models.AbstractModel):
    _inherit = "mail.thread"

    @api.model
    def _routing_handle_bounce(self, email_message, message_dict):
        # An address that has bounced too often is put onto the blacklist: no word of the person.
        bouncing = self.with_context(usercom_listed_by="bounce")
        return super(MailThread, bouncing)._routing_handle_bounce(email_message, message_dict)
