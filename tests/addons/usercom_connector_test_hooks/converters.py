"""A converter of our own: Polish postal codes, which the shop keeps as numbers."""

import re

from odoo.addons.usercom_connector.sync.converters import CONVERTERS, CannotTravel, Converter


def _read(rule, raw, context, there):
    """The canonical value of what Odoo holds or, ``there``, of what User.com shows."""
    text = str(raw or "").strip()
    if not text:
        return None
    digits = text.replace("-", "").zfill(5) if there else text.replace("-", "")
    if not re.fullmatch(r"\d{5}", digits):
        raise CannotTravel("no_postal_code", value=text)
    return digits


CONVERTERS["postal_code"] = Converter(
    _read,
    to_wire=lambda rule, value, context: int(value),
    to_odoo=lambda rule, value, context: f"{value[:2]}-{value[2:]}" if value else False,
)
