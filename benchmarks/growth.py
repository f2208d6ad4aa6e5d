"""A process that works off rows and says how large it is; started by the benchmark `scale`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import odoo

from .world import ADDONS, CHECKOUT, ConnectedOdoo, in_turn

WARM_UP = 100
#: Rows are made in portions, as saves are; making them all at once would be what grows.
PORTION = 500


class Watched(ConnectedOdoo):
    """The scheduled action and nothing else; the database is somebody else's."""

    def __init__(self, database: str) -> None:
        self.database = database
        self.registry = odoo.modules.registry.Registry(database)

    def work_off(self, partners: list[int], city: str) -> None:
        """Have these contacts sent, each with another value."""
        for some in in_turn(partners, PORTION):
            # Past the ORM, so that it is the draining that is watched and not the saving.
            self.query("UPDATE res_partner SET city = %s || id WHERE id = ANY(%s)", city, some)
            self.look_again(some)
        self.drain("usercom.change")


def resident_mib() -> float:
    """Return the memory that this process has now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("The kernel does not say how large this process is.")


def main(file: str) -> None:
    """Work off the rows and print the figures."""
    given = json.loads(Path(file).read_text())
    options = [f"--addons-path={CHECKOUT},{ADDONS}", "--log-level=warn"]
    odoo.tools.config.parse_config(options, setup_logging=True)
    watched = Watched(given["database"])
    partners = given["partners"]
    watched.work_off(partners[:WARM_UP], "Reda ")
    fresh = resident_mib()
    watched.work_off(partners[: given["first"]], "Puck ")
    before = resident_mib()
    watched.work_off(partners, "Hel ")
    after = resident_mib()
    told = f"{fresh:.0f} MiB when warm, {before:.0f} then, {after:.0f} at the end"
    print(json.dumps({"before": before, "after": after, "told": told}))


if __name__ == "__main__":
    main(sys.argv[1])
