"""The languages of listeners' pages, and the scale labels in them.

Listeners' pages are in the study's language, whatever their browsers prefer: the same label means different
things in different languages, so a study uses one wording.
Translations are gettext catalogues in `locale/`; researchers' pages are in English.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache

from django.utils import translation
from django.utils.translation import gettext_lazy
from django.utils.translation.trans_real import DjangoTranslation
from django.views.i18n import JavaScriptCatalog

from listening.models import Session, Study
from listening.study.removal import language_of_deleted
from listening.study.versions import apply_version


@dataclass(frozen=True)
class Language:
    """A language of listeners' pages.

    Attributes:
        code: its code in `Study.language`.
        name: its name in the language itself.
        english: its name in English.
        scale: source of the labels of the quality scale, for the report.
        published: whether the source is a published translation of the scale.
    """

    code: str
    name: str
    english: str
    scale: str
    published: bool = True

    @property
    def right_to_left(self) -> bool:
        return bool(translation.get_language_info(self.code)["bidi"])

    @property
    def locale(self) -> str:
        """Django's name of the locale."""
        return "en-gb" if self.code == "en" else self.code


LANGUAGES = {
    language.code: language
    for language in (
        Language("en", "English", "English", "Recommendation ITU-R BS.1534-3"),
        Language(
            "de",
            "Deutsch",
            "German",
            "the customary German rendering of the opinion scale of Recommendation ITU-T P.800 "
            "(ausgezeichnet, gut, ordentlich, dürftig, schlecht)",
        ),
        Language(
            "fr",
            "Français",
            "French",
            "the customary French rendering of the quality scale of the ITU "
            "(excellent, bon, assez bon, médiocre, mauvais)",
        ),
        Language(
            "ne",
            "नेपाली",
            "Nepali",
            "Earshot's own translation: no published one is known to its authors",
            published=False,
        ),
        Language(
            "ja",
            "日本語",
            "Japanese",
            "the customary Japanese rendering of the opinion scale of Recommendation ITU-T P.800",
        ),
        Language(
            "ar",
            "العربية",
            "Arabic",
            "Earshot's own translation: not compared with the Arabic edition of a Recommendation",
            published=False,
        ),
    )
}

#: Choices of a form field.
CHOICES = [
    (each.code, each.name if each.name == each.english else f"{each.english} ({each.name})")
    for each in LANGUAGES.values()
]

#: The five bands of the continuous quality scale from best to worst, 100-80 to 20-0 (BS.1534-3, M10);
#: the same words as those of the opinion scale of P.800, 5 to 1.
QUALITY = (
    gettext_lazy("Excellent"),
    gettext_lazy("Good"),
    gettext_lazy("Fair"),
    gettext_lazy("Poor"),
    gettext_lazy("Bad"),
)


def language_of(study: Study) -> Language:
    """The study's language; English if it is unknown."""
    return LANGUAGES.get(study.language, LANGUAGES["en"])


def use_study_language(study: Study) -> AbstractContextManager[None]:
    """A context in which `gettext` and templates use the study's language."""
    return translation.override(language_of(study).locale)


def languages_offered(study: Study) -> list[Language]:
    """The languages that a listener of the study can choose from, in the order of `LANGUAGES`."""
    return [each for code, each in LANGUAGES.items() if code in (study.language, *study.other_languages)]


def use_link_language(session: bool, token: str, wanted: str = "") -> AbstractContextManager[None]:
    """The same for the study whose listener link `token` is, or a session's; English where it is none.

    At the listener link, `wanted` counts if the study offers it. Of a session, the language that it met or
    that its listener chose counts, also where the session has been deleted.
    """
    if not session:
        found_study = Study.objects.filter(token=token).only("language", "other_languages").first() or Study()
        if wanted in found_study.other_languages:
            found_study.language = wanted
        return use_study_language(found_study)
    sessions = Session.objects.select_related("study").only(
        "version", "language", "study__language", "study__other_languages", "study__version"
    )
    found = sessions.filter(token=token).first()
    if found is None:
        return use_study_language(Study(language=language_of_deleted(token) or "en"))
    return use_study_language(apply_version(found).study)


@lru_cache(maxsize=len(LANGUAGES))
def _script_words(locale: str) -> dict[str, str]:
    view = JavaScriptCatalog()
    view.translation = DjangoTranslation(locale, domain="djangojs")
    catalogue: dict[str, str | list[str]] = view.get_catalog()
    return {english: word for english, word in catalogue.items() if isinstance(word, str) and english}


def script_words() -> dict[str, str]:
    """The scripts' messages in the active language: English -> translation; empty for English."""
    locale = translation.get_language() or "en-gb"
    return {} if locale.startswith("en") else _script_words(locale)
