from odoo.addons.website_mass_mailing.controllers.main import MassMailController
from odoo.http import request, route
from odoo.tools import parse_contact_from_email

FIELD = "usercom_newsletter_purpose_ids"
#: What this visitor was shown beside the block; noted when it was shown.
SHOWN = "usercom_newsletter_texts"


class UsercomMassMailController(MassMailController):
    @route()
    def is_subscriber(self, list_id, subscription_type, **post):
        """Give the block what stands there, and note that this visitor reads it."""
        data = super().is_subscriber(list_id, subscription_type, **post)
        # sudo: visitors may read neither lists nor purposes.
        purposes = request.env["mailing.list"].sudo().browse(int(list_id)).usercom_purpose_id
        purposes |= request.website.sudo()[FIELD]
        if purposes and request.env.user._is_public():
            # The address is one that this visitor has entered, who is not told what its holder
            # has said, or whether the message was answered.
            data["is_subscriber"] = False
        if subscription_type == "email" and not data["is_subscriber"]:
            texts = request.website._usercom_texts(FIELD, request.env.lang)
            shown = [text_id for text_id, _text in texts]
            if shown != request.session.get(SHOWN, []):
                request.session[SHOWN] = shown
            data["usercom_texts"] = [text for _text_id, text in texts]
        return data

    @route()
    def subscribe(self, list_id, value, subscription_type, **post):
        """Subscribing is agreeing to what was shown."""
        answer = super().subscribe(list_id, value, subscription_type, **post)
        if answer.get("toast_type") == "success" and subscription_type == "email":
            name, address = parse_contact_from_email(value)
            shown = request.session.get(SHOWN, [])
            request.website._usercom_record(FIELD, address, name, shown)
            # sudo: as Odoo has just subscribed them
            subscriptions = request.env["mailing.subscription"].sudo()
            subscriptions = subscriptions.search(
                [("list_id", "=", int(list_id)), ("contact_id.email", "=", address)]
            )
            subscriptions._usercom_wait()
            wanted = subscriptions.list_id.usercom_purpose_id.double_opt_in
            if wanted or request.website._usercom_wants_confirmation(FIELD):
                # The same to everybody: a visitor is not told whether an address is known.
                answer["toast_content"] = request.env._(
                    "Thank you! If we do not know yet that this address is yours, you get a "
                    "message there: please confirm it."
                )
        return answer
