"""The options of methods of test, as `Study.method_options` holds them."""

from __future__ import annotations

from typing import Any, ClassVar

from evaluation.columns import Column


class MethodOptions(Column):
    """The options of one method: ``class Options(MethodOptions, method="abx")``; this one has none."""

    _of_method: ClassVar[dict[str, type[MethodOptions]]] = {}

    def __init_subclass__(cls, *, method: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if method:
            MethodOptions._of_method[method] = cls

    @classmethod
    def of_method(cls, slug: str) -> type[MethodOptions]:
        """The model of a method's options; one without any where the method has none."""
        return cls._of_method.get(slug, NoOptions)

    @classmethod
    def models(cls) -> tuple[type[MethodOptions], ...]:
        """The models of all methods that have options."""
        return tuple(dict.fromkeys(cls._of_method.values()))


class NoOptions(MethodOptions):
    """Of a method that has none."""
