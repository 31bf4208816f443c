"""What listeners are told to do, in the language that is active: the page of the method, or one for any."""

from __future__ import annotations

from django.template.loader import select_template
from django.utils.safestring import SafeString

from listening.methods import METHODS
from listening.models import Study

_FOLDER = "listening/session/tasks"


def render_task(study: Study) -> SafeString:
    """The instructions as HTML. Methods that are not Earshot's have only the general ones."""
    method = METHODS.get(study.method)
    own = [f"{_FOLDER}/{study.method}.html", f"{_FOLDER}/method.html"] if method else []
    template = select_template([*own, f"{_FOLDER}/other.html"])
    html: SafeString = template.render({"study": study, "method": method})
    return html
