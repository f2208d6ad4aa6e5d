import io
import re
from collections import Counter

import polib
from _tooling.places import ADDON, GLUE
from odoo.tests.common import TransactionCase, tagged
from odoo.tools.translate import trans_export

#: What a translation must carry over as it is: facts to be filled in, and markup.
KEPT = re.compile(r"%\(\w+\)[a-z]|%[a-z]|\{\w+\}|</?\w+[^>]*>")


def assert_has_terms(case, addon):
    """The template has what Odoo exports of the addon, which is installed."""
    exported = io.BytesIO()
    trans_export(None, [addon.name], exported, "po", case.env)
    now = {entry.msgid for entry in polib.pofile(exported.getvalue().decode())}
    kept = {entry.msgid for entry in polib.pofile(str(addon / "i18n" / f"{addon.name}.pot"))}
    case.assertFalse(now ^ kept, "run bin/i18n: these terms are new, or gone")


@tagged("post_install", "-at_install")
class TestTranslations(TransactionCase):
    """`bin/i18n` brings the files up to date; then the languages want translating.

    Of the glue addons, which are not installed here, too; whether their templates have their terms
    is asked where they are installed.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.templates, cls.languages = {}, {}
        for addon in (ADDON, *GLUE):
            folder = addon / "i18n"
            cls.templates[addon.name] = polib.pofile(str(folder / f"{addon.name}.pot"))
            for path in folder.glob("*.po"):
                cls.languages[addon.name, path.stem] = polib.pofile(str(path))

    def test_template_has_the_terms_of_the_code_and_the_views(self):
        assert_has_terms(self, ADDON)

    def test_languages_have_the_terms_of_the_template(self):
        for addon, template in self.templates.items():
            self.assertIn((addon, "pl"), self.languages)
            kept = {entry.msgid for entry in template}
            for (name, lang), language in self.languages.items():
                if name == addon:
                    with self.subTest(addon=name, language=lang):
                        self.assertFalse({entry.msgid for entry in language} ^ kept, "run bin/i18n")

    def test_languages_are_complete(self):
        for (name, lang), language in self.languages.items():
            with self.subTest(addon=name, language=lang):
                missing = [*language.untranslated_entries(), *language.fuzzy_entries()]
                self.assertFalse([entry.msgid for entry in missing])

    def test_translations_keep_placeholders_and_markup(self):
        for (name, lang), language in self.languages.items():
            for entry in language:
                with self.subTest(addon=name, language=lang, term=entry.msgid):
                    self.assertEqual(
                        Counter(KEPT.findall(entry.msgstr)), Counter(KEPT.findall(entry.msgid))
                    )
