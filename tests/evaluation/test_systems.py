"""One place that knows what a slug is."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from codec.registry import SYSTEMS
from evaluation import systems
from evaluation.models import UploadedSystem


@pytest.fixture
def own(alice: User) -> UploadedSystem:
    return UploadedSystem.objects.create(
        owner=alice, slug=systems.new_slug("My codec"), title="My codec", note="version 3", kbps=1.5
    )


def test_a_registry_system(django_assert_num_queries: Any, db: None) -> None:
    with django_assert_num_queries(0):
        described = systems.describe("bpgan-2k")
    assert (described.kind, described.title, described.kbps) == ("registry", "BPGAN 2k", 2.0)


def test_an_uploaded_system(own: UploadedSystem) -> None:
    described = systems.describe(own.slug)
    assert (described.kind, described.title, described.note) == ("uploaded", "My codec", "version 3")
    assert described.kbps == 1.5


def test_any_other_text_stands_for_itself(db: None) -> None:
    described = systems.describe("Proposed 1.38 16kHz")
    assert (described.kind, described.title, described.kbps) == ("other", "Proposed 1.38 16kHz", None)
    assert systems.title_of("own-that-was-deleted-123456") == "own-that-was-deleted-123456"


def test_many_cost_one_query(own: UploadedSystem, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        titles = systems.titles_of([own.slug, "original", "C1", own.slug])
    assert titles == {own.slug: "My codec", "original": "Original", "C1": "C1"}


def test_order_is_registry_then_uploaded_then_the_rest(own: UploadedSystem) -> None:
    mixed = ["C1", own.slug, "Anchor", *reversed(SYSTEMS)]
    assert sorted(mixed, key=systems.order) == [*SYSTEMS, own.slug, "Anchor", "C1"]


def test_only_ones_own_can_be_chosen(own: UploadedSystem, bob: User) -> None:
    mine = [each.slug for each in systems.systems_for(own.owner)]
    assert mine == [*SYSTEMS, own.slug]
    assert [each.slug for each in systems.systems_for(bob)] == list(SYSTEMS)


def test_slugs_are_new_plain_and_never_the_registrys() -> None:
    made = {systems.new_slug("Ünïcode & more / " * 9) for _ in range(20)}
    assert len(made) == 20
    assert all(len(slug) <= 64 and slug.startswith("own-unicode-more") for slug in made)
    assert systems.new_slug("日本").startswith("own-system-")
    assert not any(slug.startswith(systems.PREFIX) for slug in SYSTEMS)


def test_looks_of_unknown_systems_are_stable_and_distinct() -> None:
    names = [f"C{number}" for number in range(24)]
    together = systems.looks_of([*names, *SYSTEMS])
    assert len(set(together.values())) == len(names) + len(SYSTEMS)
    assert systems.looks_of(reversed([*names, *SYSTEMS])) == together
