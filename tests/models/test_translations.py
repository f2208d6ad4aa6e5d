import io
import re
from collections import Counter
from pathlib import Path

import polib
from odoo.modules import get_module_path
from odoo.tests.common import TransactionCase, tagged
from odoo.tools.translate import trans_export

#: What a translation must carry over as it is: facts to be filled in, and markup.
KEPT = re.compile(r"%\(\w+\)[a-z]|%[a-z]|\{\w+\}|</?\w+[^>]*>")


@tagged("post_install", "-at_install")
class TestTranslations(TransactionCase):
    """`bin/i18n` brings the files up to date; then the languages want translating."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = Path(get_module_path("usercom_connector"), "i18n")
        cls.template = polib.pofile(str(folder / "usercom_connector.pot"))
        cls.languages = {path.stem: polib.pofile(str(path)) for path in folder.glob("*.po")}

    def test_template_has_the_terms_of_the_code_and_the_views(self):
        exported = io.BytesIO()
        trans_export(None, ["usercom_connector"], exported, "po", self.env)
        now = {entry.msgid for entry in polib.pofile(exported.getvalue().decode())}
        kept = {entry.msgid for entry in self.template}
        self.assertFalse(now ^ kept, "run bin/i18n: these terms are new, or gone")

    def test_languages_have_the_terms_of_the_template(self):
        self.assertIn("pl", self.languages)
        kept = {entry.msgid for entry in self.template}
        for name, language in self.languages.items():
            with self.subTest(language=name):
                self.assertFalse({entry.msgid for entry in language} ^ kept, "run bin/i18n")

    def test_languages_are_complete(self):
        for name, language in self.languages.items():
            with self.subTest(language=name):
                missing = [*language.untranslated_entries(), *language.fuzzy_entries()]
                self.assertFalse([entry.msgid for entry in missing])

    def test_translations_keep_placeholders_and_markup(self):
        for name, language in self.languages.items():
            for entry in language:
                with self.subTest(language=name, term=entry.msgid):
                    self.assertEqual(
                        Counter(KEPT.findall(entry.msgstr)), Counter(KEPT.findall(entry.msgid))
                    )
