"""`bin/i18n`: the templates of translations as the addons are, and each language beside it.

Needs the packages of the virtual environment; `bin/i18n` runs it there.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import polib

from . import processes
from .databases import databases
from .places import ADDON, GLUE
from .problem import Problem
from .runtime import prepare
from .say import say

DATE = re.compile(r'"(POT-Creation|PO-Revision)-Date:')


def main() -> int:
    """Export the templates, carry them over into each language and tell what is untranslated."""
    runtime = prepare("test", durable=False)
    with databases(runtime) as opened:
        for folder in (ADDON, *GLUE):
            (folder / "i18n").mkdir(exist_ok=True)
            database = opened.copy(with_website=folder in GLUE)
            command = [*runtime.odoo_command(), "i18n", "export", "-d", database, folder.name]
            code, said = processes.run(command, variables=runtime.variables())
            if code:
                raise Problem(f"Odoo could not export the terms of {folder.name}:\n{said}")
            _carry_over(folder / "i18n" / f"{folder.name}.pot")
    return 0


def _carry_over(file: Path) -> None:
    # Without its dates, so that it changes when the terms do.
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if not DATE.match(line)))
    template = polib.pofile(str(file))
    for language in sorted(file.parent.glob("*.po")):
        translation = polib.pofile(str(language))
        translation.merge(template)
        for entry in translation.obsolete_entries():
            translation.remove(entry)
        translation.sort(key=lambda entry: entry.msgid)
        translation.save()
        missing = [*translation.untranslated_entries(), *translation.fuzzy_entries()]
        say(f"{file.stem}, {language.name}: {len(translation)} terms, {len(missing)} to translate")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Problem as problem:
        sys.exit(str(problem))
