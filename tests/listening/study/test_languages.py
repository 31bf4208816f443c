"""Listeners' languages: catalogues that are complete and compiled, pages that speak them."""

from __future__ import annotations

import gettext
import re
from pathlib import Path

import pytest
from django.http import QueryDict
from django.test import Client
from django.utils import translation
from django.utils.formats import number_format

from listening.columns.questions import Question
from listening.methods import METHODS
from listening.methods.base import GradeProblem
from listening.models import Session, Study
from listening.study import languages
from listening.study.questionnaire import read_answers
from tests.conftest import ROOT
from tests.listening import catalogues

LOCALE = ROOT / "locale"
OTHERS = [code for code in languages.LANGUAGES if code != "en"]
CATALOGUES = sorted(LOCALE.glob("*/LC_MESSAGES/*.po"))
PLACEHOLDER = re.compile(r"%\(\w+\)s|\{\w+\}")


def name(path: Path) -> str:
    return f"{path.parts[-3]}/{path.stem}"


def test_there_is_a_catalogue_for_every_language() -> None:
    assert {path.parts[-3] for path in CATALOGUES} == set(OTHERS)


@pytest.mark.parametrize("path", CATALOGUES, ids=name)
def test_every_message_is_translated(path: Path) -> None:
    messages = catalogues.read(path)
    assert messages
    for message in messages:
        assert not message.fuzzy, message.text
        assert message.translations, message.text
        assert all(message.translations), message.text
        for translated in message.translations:
            assert sorted(PLACEHOLDER.findall(translated)) == sorted(PLACEHOLDER.findall(message.text))
            assert translated.startswith("\n") == message.text.startswith("\n")


@pytest.mark.parametrize("path", CATALOGUES, ids=name)
def test_messages_have_the_decimal_mark_that_pages_write_numbers_with(path: Path) -> None:
    """CLDR's marks for Latin digits, in which all languages write here."""
    mark = {"de": ",", "fr": ",", "ne": ".", "ja": ".", "ar": "."}[path.parts[-3]]
    with translation.override(path.parts[-3]):
        assert number_format(-2.5, 1) == f"-2{mark}5"
    for message in catalogues.read(path):
        for number in re.findall(r"(?<![\d.-])\d+\.\d+(?![\d.-])", message.text):
            for translated in message.translations:
                assert number.replace(".", mark) in translated


@pytest.mark.parametrize("path", CATALOGUES, ids=name)
def test_compiled_catalogues_say_what_their_sources_say(path: Path) -> None:
    with path.with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for message in catalogues.read(path):
        if message.context:
            assert compiled.pgettext(message.context, message.text) == message.translations[0]
        elif message.plural:
            said = {compiled.ngettext(message.text, message.plural, n) for n in range(201)}
            assert said == set(message.translations)
        else:
            assert compiled.gettext(message.text) == message.translations[0]


@pytest.mark.parametrize("domain", ["django", "djangojs"])
def test_all_languages_translate_the_same_messages(domain: str) -> None:
    texts = {
        code: [(m.context, m.text) for m in catalogues.read(path)]
        for code in OTHERS
        if (path := LOCALE / code / "LC_MESSAGES" / f"{domain}.po").exists()
    }
    assert all(listed == next(iter(texts.values())) for listed in texts.values())


@pytest.mark.parametrize("code", OTHERS)
def test_the_words_of_the_scale_are_five_different_ones(code: str) -> None:
    with languages.use_study_language(Study(language=code)):
        words = [str(word) for word in languages.QUALITY]
    assert len(set(words)) == 5
    assert not set(words) & {"Good", "Fair", "Poor", "Bad"}


def test_german_words_of_the_scale() -> None:
    with languages.use_study_language(Study(language="de")):
        words = [str(word) for word in languages.QUALITY]
    assert words == ["Ausgezeichnet", "Gut", "Ordentlich", "Dürftig", "Schlecht"]


@pytest.mark.parametrize("code", OTHERS)
def test_keys_have_one_name_in_a_language(code: str) -> None:
    """The instructions call a key what the help does."""
    messages = catalogues.read(LOCALE / code / "LC_MESSAGES" / "django.po")
    said = {message.text: message.translations[0] for message in messages}
    names = {key: said[key] for key in ("space", "shift", "esc")}
    for message, translated in said.items():
        for key, name in names.items():
            if f"<kbd>{key}</kbd>" in message:
                assert f"<kbd>{name}</kbd>" in translated, (message, translated)


def test_a_language_that_is_not_here_is_english() -> None:
    assert languages.language_of(Study(language="tlh")).code == "en"


def test_the_language_ends_with_the_block() -> None:
    before = translation.get_language()
    with languages.use_study_language(Study(language="ja")):
        assert translation.get_language() == "ja"
    assert translation.get_language() == before


@pytest.mark.parametrize(("code", "direction"), [("en", "ltr"), ("ne", "ltr"), ("ar", "rtl")])
def test_pages_say_their_language_and_direction(
    client: Client, session: Session, code: str, direction: str
) -> None:
    Study.objects.filter(pk=session.study_id).update(language=code)
    locale = languages.LANGUAGES[code].locale
    for address in (f"/s/{session.token}/", f"/t/{session.study.token}/"):
        # What the browser prefers doesn't matter.
        page = client.get(address, headers={"Accept-Language": "fr"}).content.decode()
        assert f'<html lang="{locale}" dir="{direction}"' in page


@pytest.mark.parametrize(("code", "mark"), [("en", "."), ("de", ","), ("ne", "."), ("ar", ".")])
def test_the_clock_of_a_trial_begins_with_the_decimal_mark_of_its_language(
    client: Client, session: Session, code: str, mark: str
) -> None:
    """The script goes on with the page's mark."""
    Study.objects.filter(pk=session.study_id).update(language=code)
    page = client.get(f"/s/{session.token}/").content.decode()
    assert f'data-decimal-mark="{mark}"' in page
    assert f'<span id="time">00:00{mark}0</span> / <span id="duration">00:00{mark}0</span>' in page


def test_refusals_of_what_a_listener_sends_have_the_decimal_mark_of_the_page() -> None:
    """A slider that shows 1,0 is not refused with 1.0."""
    question = Question(name="years", label="Years", type="number", minimum=0.5, maximum=90)
    for language, mark in (("en", "."), ("de", ","), ("fr", ","), ("ar", ".")):
        with translation.override(language):
            with pytest.raises(GradeProblem) as refused:
                METHODS["bs1116"].clean_grade(7.0)
            assert f"1{mark}0" in str(refused.value)
            assert f"5{mark}0" in str(refused.value)
            _answers, problems = read_answers([question], QueryDict("q-years=0.2"))
            assert f"0{mark}5" in problems["years"]
