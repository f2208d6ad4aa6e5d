"""`bin/i18n`: the template of translations as the addon has it now, and each language beside it.

Needs the packages of the virtual environment; `bin/i18n` runs it there.
"""

from __future__ import annotations

import re
import sys

import polib

from . import processes
from .databases import databases
from .places import ADDON
from .problem import Problem
from .runtime import prepare
from .say import say

DATE = re.compile(r'"(POT-Creation|PO-Revision)-Date:')
TEMPLATE = ADDON / "i18n" / f"{ADDON.name}.pot"


def main() -> int:
    """Export the template, carry it over into each language and tell what is untranslated."""
    runtime = prepare("test", durable=False)
    with databases(runtime) as opened:
        command = [*runtime.odoo_command(), "i18n", "export", "-d", opened.copy(), ADDON.name]
        code, said = processes.run(command, variables=runtime.variables())
    if code:
        raise Problem(f"Odoo could not export the terms:\n{said}")
    # Without its dates, so that it changes when the terms do.
    lines = TEMPLATE.read_text().splitlines(keepends=True)
    TEMPLATE.write_text("".join(line for line in lines if not DATE.match(line)))
    template = polib.pofile(str(TEMPLATE))
    for file in sorted(TEMPLATE.parent.glob("*.po")):
        translation = polib.pofile(str(file))
        translation.merge(template)
        for entry in translation.obsolete_entries():
            translation.remove(entry)
        translation.sort(key=lambda entry: entry.msgid)
        translation.save()
        missing = [*translation.untranslated_entries(), *translation.fuzzy_entries()]
        say(f"{file.name}: {len(translation)} terms, {len(missing)} to translate")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Problem as problem:
        sys.exit(str(problem))
