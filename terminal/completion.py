"""Shells that complete the words of the command."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

_BASH = """\
_earshot() {
  local IFS=$'\\n'
  COMPREPLY=($(earshot complete "${COMP_WORDS[@]:1:COMP_CWORD}"))
}
complete -o default -F _earshot earshot
"""
SHELLS = {
    "bash": _BASH,
    "zsh": "autoload -U +X bashcompinit && bashcompinit\n" + _BASH,
    "fish": "complete -c earshot -a '(earshot complete (commandline -opc)[2..-1] (commandline -ct))'\n",
}


def complete(words: Sequence[str], here: argparse.ArgumentParser) -> list[str]:
    """What the last of `words` can become, by the commands and options before it.

    Args:
        words: what has been typed, without the command's own name.
        here: the parser of the command.
    """
    for word in words[:-1]:
        here = commands_of(here).get(word, here)
    last = words[-1] if words else ""
    options = [text for action in here._actions for text in action.option_strings]
    choices = options if last.startswith("-") else [*commands_of(here)]
    return [choice for choice in choices if choice.startswith(last)]


def commands_of(here: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    found = (action.choices for action in here._actions if isinstance(action, argparse._SubParsersAction))
    return dict(next(found, {}))
