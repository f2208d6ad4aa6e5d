"""Points at which the process ends itself, as if the power had failed.

The file that ``USERCOM_TEST_KILL`` names holds the point, ``push.send.begin`` say, or
``push.send.end 5`` for the fifth time that it is reached. It is removed first, so that each is
hit once. Points have the names that stand below, with ``.begin`` before the function and ``.end``
after it.
"""

import functools
import os
import signal
import threading

from odoo.addons.usercom_connector.controllers.usercom_connector import UsercomConnector
from odoo.addons.usercom_connector.models.usercom_change import UsercomChange
from odoo.addons.usercom_connector.models.usercom_change_bind import UsercomChange as ChangeBind
from odoo.addons.usercom_connector.models.usercom_change_record import UsercomChange as ChangeRecord
from odoo.addons.usercom_connector.models.usercom_listing import UsercomListing
from odoo.addons.usercom_connector.models.usercom_ping import UsercomPing
from odoo.addons.usercom_connector.models.usercom_queue import UsercomQueue
from odoo.addons.usercom_connector.tools import exchange, wake

_lock = threading.Lock()


def reach(point):
    """End the process if this is the point."""
    path = os.environ.get("USERCOM_TEST_KILL", "")
    with _lock:
        try:
            with open(path, encoding="utf-8") as file:  # noqa: PTH123
                wanted, _, times = file.read().partition(" ")
        except OSError:
            return
        if wanted != point:
            return
        left = int(times or 1) - 1
        if left:
            with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
                file.write(f"{wanted} {left}")
            return
        os.unlink(path)  # noqa: PTH108
        os.kill(os.getpid(), signal.SIGKILL)


def watch(owner, attribute, name):
    """Make points before and after a function."""
    function = getattr(owner, attribute)

    @functools.wraps(function)
    def watched(*args, **kwargs):
        point = name(*args) if callable(name) else name
        reach(f"{point}.begin")
        result = function(*args, **kwargs)
        reach(f"{point}.end")
        return result

    setattr(owner, attribute, watched)


# The save, the webhook, and what follows their commits.
watch(UsercomChange, "_append_gathered", "save.rows")
watch(UsercomConnector, "webhook", "webhook")
watch(
    wake,
    "soon",
    lambda dbname, cron_xmlid: f"wake.{cron_xmlid.removeprefix('usercom_connector.ir_cron_')}",
)
# Out.
watch(UsercomChange, "_plan", "push.plan")
watch(exchange, "look_up", "push.look_up")
watch(ChangeBind, "_bind", "push.bind")
watch(exchange, "send", "push.send")
watch(exchange, "_write", "push.write")
watch(ChangeRecord, "_record", "push.record")
watch(UsercomChange, "_process", "push.process")
# In.
watch(UsercomPing, "_plan", "pull.plan")
watch(exchange, "read", "pull.read")
watch(UsercomPing, "_record", "pull.record")
watch(UsercomPing, "_process", "pull.process")
# Lists.
watch(UsercomListing, "_record_page", "list.record")
watch(UsercomListing, "_read_page", "list.page")
# The end of a round: all that is recorded is committed.
watch(UsercomQueue, "_plan_next_round", lambda queue: f"{queue._direction}.round")
