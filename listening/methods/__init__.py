"""The methods of listening tests: each is a class in its own file here, discovered automatically."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from listening.methods.base import NO_PREFERENCE, OPEN_REFERENCE, REFERENCE, Ear, Material, Method, Signal
from listening.methods.mushra import Mushra
from listening.methods.options import MethodOptions

#: A method with any type of options.
AnyMethod = Method[Any]


def _find_methods() -> Iterator[AnyMethod]:
    for module in iter_modules(__path__, f"{__name__}."):
        for found in vars(import_module(module.name)).values():
            is_method = isinstance(found, type) and issubclass(found, Method) and "title" in vars(found)
            if is_method and found.__module__ == module.name:
                yield found()


#: By slug, in display order.
METHODS: dict[str, AnyMethod] = {
    method.slug: method for method in sorted(_find_methods(), key=lambda found: (found.place, found.slug))
}
#: The default method of a study.
DEFAULT = METHODS[Mushra.slug]


def find_method(page_type: str) -> AnyMethod | None:
    """The method that corresponds to a webMUSHRA page type; None if there is none."""
    return next((method for method in METHODS.values() if page_type in method.webmushra), None)


def list_holders(page_type: str) -> tuple[str, ...]:
    """Slugs of the methods as which results of a webMUSHRA page type can be imported, its own first."""
    own = [slug for slug, method in METHODS.items() if page_type in method.webmushra]
    others = [slug for slug, method in METHODS.items() if page_type in method.also_holds]
    return (*own, *others)


__all__ = [
    "DEFAULT",
    "METHODS",
    "NO_PREFERENCE",
    "OPEN_REFERENCE",
    "REFERENCE",
    "AnyMethod",
    "Ear",
    "Material",
    "Method",
    "MethodOptions",
    "Signal",
    "find_method",
    "list_holders",
]
