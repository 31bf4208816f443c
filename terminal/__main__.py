"""`earshot`, or ``python -m terminal``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from terminal.completion import SHELLS, complete
from terminal.local import LOCAL, run_local
from terminal.login import login, site_of
from terminal.names import resolve_all
from terminal.problem import Problem
from terminal.words import parser


def main(words: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if words is None else words)
    try:
        if words and words[0] in LOCAL:
            return run_local(words)
        if words and words[0] == "complete":
            print("\n".join(complete(words[1:], parser())))
            return 0
        arguments = parser().parse_args(words)
        if arguments.run is login:
            login(arguments)
        elif "shell" in arguments:
            print(SHELLS[arguments.shell], end="")
        else:
            site = site_of(dict(os.environ))
            resolve_all(site, arguments)
            arguments.run(site, arguments)
    except Problem as problem:
        print(f"earshot: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
