"""A published demo page as files: one zip that opens from disk and that any web server can serve as it is."""

from __future__ import annotations

import base64
import zipfile
from pathlib import Path
from typing import IO

from django.conf import settings
from django.template.loader import render_to_string
from django.utils.text import slugify

from evaluation.analysis.words import keep_units
from listening.demos.bundle import bundle
from listening.demos.pages import level_note, page_context
from listening.models import DemoVersion

#: Style sheets of the page, in the order in which it loads them.
_STYLES = ("earshot.css", "clip.css", "demo.css")
#: Of every member: the same version gives the same bytes.
_TIME = (1980, 1, 1, 0, 0, 0)


def export_name(version: DemoVersion) -> str:
    """The file name of the zip."""
    return f"{slugify(version.content.title)[:60] or 'demo'}-v{version.number}.zip"


def write_export(version: DemoVersion, target: IO[bytes]) -> None:
    """Write the zip: the page, one script, one style sheet, the sounds, and how to use them.

    Each sound is there twice: as FLAC, and as a script that hands its bytes to a page on disk, where browsers
    fetch no files.
    """
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        context = page_context(version.content, version.facts, _sound_name)
        context |= {"version": version, "level_note": level_note()}
        _put(archive, "index.html", keep_units(render_to_string("listening/demos/export.html", context)))
        static = Path(settings.BASE_DIR) / "static"
        styles = [(static / "css" / name).read_text(encoding="utf-8") for name in _STYLES]
        _put(archive, "style.css", "\n".join(styles))
        _put(archive, "player.js", bundle(static / "js/demo/page.js"))
        _put(archive, "earshot-player.js", (static / "js/demo/element.js").read_text(encoding="utf-8"))
        _put(archive, "README.txt", render_to_string("listening/demos/export.txt", context))
        if version.picture:
            with version.picture.open("rb") as file:
                _put(archive, "picture.png", file.read())
        for sound in version.sounds.all():
            name = _sound_name(sound.position, sound.system)
            with sound.audio.open("rb") as file:
                content = file.read()
            _put(archive, name, content)
            _put(archive, f"{name}.js", f'earshotSound("{name}", "{base64.b64encode(content).decode()}");\n')


def _sound_name(position: int, system: str) -> str:
    return f"audio/{position + 1}-{system}.flac"


def _put(archive: zipfile.ZipFile, name: str, content: str | bytes) -> None:
    member = zipfile.ZipInfo(name, _TIME)
    member.external_attr = 0o644 << 16
    method = zipfile.ZIP_STORED if name.endswith((".flac", ".png")) else zipfile.ZIP_DEFLATED
    archive.writestr(member, content, method)
