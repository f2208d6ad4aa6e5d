import hmac
import json

from odoo import http
from odoo.http import request

MAX_BODY_BYTES = 64 * 1024
#: An account that is not there is compared with as long a secret as one that is.
_NOBODYS_SECRET = "-" * 43


class UsercomConnector(http.Controller):
    @http.route(
        "/usercom/webhook/<string:token>",
        type="http",
        auth="none",
        methods=["POST"],
        csrf=False,
        save_session=False,
        readonly=False,
        max_content_length=MAX_BODY_BYTES,
    )
    def webhook(self, token, **form):
        """A call of User.com's automation: check the secret, note which contact, and answer.

        Nothing of the body is believed but whom it is about (usercom-api.md, section 3).
        """
        # sudo: the caller has no user; the secret in its header is what lets it in.
        account_id, secret = request.env["usercom.account"].sudo()._webhook_secret_of(token)
        given = request.httprequest.headers.get("X-Usercom-Secret", "")
        right = hmac.compare_digest(
            given.encode("utf-8", "surrogateescape"), (secret or _NOBODYS_SECRET).encode()
        )
        if not (right and secret):
            return self._answer(404, "There is no such webhook, or its secret is another one.")
        body = _body(form)
        if body is None:
            return self._answer(400, "The body is neither a JSON object nor a form.")
        # sudo: noting a row is all that this caller may do.
        request.env["usercom.ping"].sudo()._append([(account_id, *_whom(body))])
        return self._answer(200, "Noted.")

    @staticmethod
    def _answer(status, message):
        return request.make_json_response({"message": message}, status=status)


def _body(form):
    """The call's body as a dict, or ``None``.

    JSON is taken whatever content type the call names, because User.com's is set by hand
    (usercom-api.md, section 3): sent as a form, it arrives as the name of a form field.
    """
    as_form = "&".join(f"{name}={value}" if value else name for name, value in form.items())
    parsed = _json(request.httprequest.get_data()) or _json(as_form)
    if parsed is None and form:
        # In a real form the objects are JSON within the values.
        parsed = {name: _json(value) or value for name, value in form.items()}
    return parsed if isinstance(parsed, dict) else None


def _json(text):
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return None


def _whom(body):
    """Whom a call is about: the first of the names below that is there and has a sane form.

    The contact may stand under ``user`` or, where user info is left out of the call, in the extra
    data that the administrator wrote.

    :return: ``(lookup, value)`` for a ping; ``("none", "")`` when the call names nobody.
    """
    for source in (body.get("user"), body.get("extra"), body):
        if not isinstance(source, dict):
            continue
        for lookup, names in (
            ("id", ("id", "usercom_id")),
            ("custom_id", ("custom_id", "user_id")),
            ("key", ("key", "user_key")),
            ("email", ("email",)),
        ):
            for name in names:
                value = _identity(lookup, source.get(name))
                if value:
                    return lookup, value
    return "none", ""


def _identity(lookup, value):
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    text = str(value).strip()
    if not text or len(text) > 254 or not text.isprintable():
        return None
    if lookup == "id" and not (text.isascii() and text.isdigit() and len(text) <= 18):
        return None
    return text if lookup != "email" or "@" in text else None
