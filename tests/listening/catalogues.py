"""Reading gettext's .po files, as far as GNU gettext writes them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Message:
    """An entry: its text, its plural and context if it has them, and its translations."""

    text: str = ""
    plural: str = ""
    context: str = ""
    translations: list[str] = field(default_factory=list)
    fuzzy: bool = False


def read(path: Path) -> list[Message]:
    """All messages of a catalogue but its header."""
    messages = []
    message = Message()
    target = ""
    for line in [*path.read_text(encoding="utf-8").splitlines(), ""]:
        if not line:
            if message.text:
                messages.append(message)
            message, target = Message(), ""
        elif line.startswith("#"):
            message.fuzzy |= line.startswith("#,") and "fuzzy" in line
        else:
            word, _, rest = line.partition(" ")
            if not line.startswith('"'):
                target = word
                if word.startswith("msgstr"):
                    message.translations.append("")
            piece = json.loads(line if line.startswith('"') else rest)
            if target == "msgid":
                message.text += piece
            elif target == "msgid_plural":
                message.plural += piece
            elif target == "msgctxt":
                message.context += piece
            elif target.startswith("msgstr"):
                message.translations[-1] += piece
    return messages
