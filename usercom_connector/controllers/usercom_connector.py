import hmac
import json

from odoo import http
from odoo.http import request

MAX_BODY_BYTES = 64 * 1024
#: An account that is not there is compared with as long a secret as one that is.
_NOBODYS_SECRET = "-" * 43


class RawDispatcher(http.HttpDispatcher):
    """Leaves query and body to the controller, and so takes any field name and content type.

    Odoo's own would read a body of type form before the controller could see whether it is JSON,
    and answer 500 to a field named ``self``.
    """

    routing_type = "usercom_raw"

    def dispatch(self, endpoint, args):
        self.request.params = dict(args)
        return self.request.registry["ir.http"]._dispatch(endpoint)


class UsercomConnector(http.Controller):
    @http.route(
        "/usercom/webhook/<string:token>",
        type=RawDispatcher.routing_type,
        auth="none",
        methods=["POST"],
        csrf=False,
        save_session=False,
        readonly=False,
        max_content_length=MAX_BODY_BYTES,
    )
    def webhook(self, token):
        """A call of User.com's automation: check the secret, note which contact, and answer.

        Nothing of the body is believed but whom it is about, and a "no" (design.md, promise 8).
        """
        if request.httprequest.method != "POST":
            return self._answer(405, "Call by POST.")  # Odoo lets OPTIONS pass, whatever the route
        # sudo: the caller has no user; the secret in its header is what lets it in.
        account_id, secret = request.env["usercom.account"].sudo()._webhook_secret_of(token)
        given = request.httprequest.headers.get("X-Usercom-Secret", "")
        right = hmac.compare_digest(
            given.encode("utf-8", "surrogateescape"), (secret or _NOBODYS_SECRET).encode()
        )
        if not (right and secret):
            return self._answer(404, "There is no such webhook, or its secret is another one.")
        body = _body(request.httprequest)
        if body is None:
            return self._answer(400, "The body is neither a JSON object nor a form.")
        # sudo: noting a row is all that this caller may do.
        pings = request.env["usercom.ping"].sudo()
        digest = pings._digest_of_call(account_id, body.get("user"))
        said_no = pings._no_of_call(account_id, body)
        pings._append([(account_id, *_whom(body))], digest=digest, said_no=said_no)
        return self._answer(200, "Noted.")

    @staticmethod
    def _answer(status, message):
        return request.make_json_response({"message": message}, status=status)


def _body(httprequest):
    """The call's body as a dict, or ``None``.

    JSON is taken whatever content type the call names, because User.com's is set by hand
    (usercom-api.md, section 3). In a form an object may be JSON within a value, or spread over
    names like ``user[id]``.
    """
    parsed = _json(httprequest.get_data())
    if parsed is None and httprequest.form:
        parsed = {}
        for name, value in httprequest.form.items():
            outer, bracket, inner = name.removesuffix("]").partition("[")
            branch = parsed.setdefault(outer, {}) if bracket else parsed
            if isinstance(branch, dict):
                branch[inner if bracket else name] = _json(value) or value
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
