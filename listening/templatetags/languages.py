"""Template tags for the language of listeners' pages."""

from __future__ import annotations

from django import template
from django.http import HttpRequest, QueryDict
from django.urls import reverse
from django.utils import formats, translation
from django.utils.html import json_script
from django.utils.safestring import SafeString

from listening.models import Session, Study
from listening.study.languages import language_of, languages_offered, script_words

register = template.Library()


@register.simple_tag
def words_of_scripts() -> SafeString:
    """Translations of the scripts' messages, for static/js/common/words.js."""
    return json_script(script_words(), "words")


@register.simple_tag
def decimal_mark() -> str:
    """The mark before the decimals of a number in the page's language, for static/js/common/text.js."""
    return str(formats.get_format("DECIMAL_SEPARATOR"))


@register.inclusion_tag("listening/session/_languages.html", takes_context=True)
def language_choice(context: template.Context) -> dict[str, object]:
    """The choice of the page's language, where the study offers one.

    Before there is a session, choosing is following a link; the platform's ids stay in the address.
    """
    study, session = context.get("study"), context.get("session")
    request: HttpRequest | None = context.get("request")
    offered = languages_offered(study) if isinstance(study, Study) else []
    if isinstance(session, Session):
        return {
            "current": language_of(session.study),
            "languages": offered if len(offered) > 1 else [],
            "action": reverse("session_language", args=[session.token]),
        }
    if len(offered) < 2 or request is None or request.resolver_match is None:
        return {}
    if request.resolver_match.url_name != "join":
        return {}
    active = str(translation.get_language())
    links = []
    for language in offered:
        query: QueryDict = request.GET.copy()
        query["language"] = language.code
        links.append((language, "?" + query.urlencode()))
    return {
        "current": next((each for each in offered if each.locale == active), offered[0]),
        "languages": offered,
        "links": links,
    }
