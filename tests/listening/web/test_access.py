"""The access table: every address of pages and of the API, by every method, for every kind of person.

What there is comes from the URL configuration and from the API's description: an address of a page, or an
operation of the API (its path and method), without a row of its own here fails.
"""

from __future__ import annotations

import json
import re
from copy import deepcopy
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db import transaction
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from django.urls import resolve, reverse

from evaluation.models import OutputBatch
from evaluation.outputs.batches import save_system
from evaluation.work import jobs
from listening.demos.drafts import new_demo
from listening.models import ApiToken, DemoVersion, ImportDraft, MadeFile, Preparation, Share, Study
from listening.people import sharing
from listening.web import accounts, throttling
from listening.web.api import api
from tests.listening.conftest import listen
from tests.listening.web.addresses import page_addresses

PEOPLE = ("stranger", "other", "viewer", "editor", "owner", "administrator", "listener")

#: What an answer says of the person's rights: signing in is needed, it is not there for them, their role does
#: not suffice, or they are let in (whatever is then said of what they sent).
SIGN_IN, HIDDEN, FORBIDDEN, IN = "sign in", "hidden", "forbidden", "in"


def row(stranger: str, other: str, viewer: str, editor: str, owner: str) -> dict[str, str]:
    """The outcomes of an address; administrators and listeners are other people to other people's things."""
    found = dict(zip(PEOPLE[:5], (stranger, other, viewer, editor, owner), strict=True))
    return found | {"administrator": other, "listener": stranger}


EVERYBODY = row(IN, IN, IN, IN, IN)
SIGNED_IN = row(SIGN_IN, IN, IN, IN, IN)
READ = row(SIGN_IN, HIDDEN, IN, IN, IN)
WRITE = row(SIGN_IN, HIDDEN, FORBIDDEN, IN, IN)
OWN = row(SIGN_IN, HIDDEN, FORBIDDEN, FORBIDDEN, IN)
#: Things that nobody can share: to others they are not there.
ALONE = row(SIGN_IN, HIDDEN, HIDDEN, HIDDEN, IN)
#: A private clip, whose page a stranger could see if it were public.
HEARD = row(HIDDEN, HIDDEN, IN, IN, IN)
ADMINISTRATORS = row(SIGN_IN, FORBIDDEN, FORBIDDEN, FORBIDDEN, FORBIDDEN) | {"administrator": IN}

#: The outcomes of reading (GET) and of writing (POST); None where an address takes no such request.
Outcomes = tuple[dict[str, str] | None, dict[str, str] | None]


def each(names: str, reading: dict[str, str] | None, writing: dict[str, str] | None) -> dict[str, Outcomes]:
    """The same outcomes for several addresses."""
    return dict.fromkeys(names.split(), (reading, writing))


#: Pages by the names of their addresses: for reading (GET) and for writing (POST), where they take it.
PAGES: dict[str, Outcomes] = {
    **each(
        "healthz readyz documents document document_picture front gallery voice voice_state "
        "voice_sound demo demo_embed demo_version demo_picture demo_sound oidc oidc_back",
        EVERYBODY,
        None,
    ),
    **each(
        "signin signin_link signup signup_link unsubscribe",
        EVERYBODY,
        EVERYBODY,
    ),
    **each(
        "signin_mail signout voice_new voice_delete",
        None,
        EVERYBODY,
    ),
    **each(
        "account home metrics",
        SIGNED_IN,
        None,
    ),
    **each(
        "account_delete study_new import clips systems",
        SIGNED_IN,
        SIGNED_IN,
    ),
    **each(
        "account_about account_password account_token sample favourites demo_new",
        None,
        SIGNED_IN,
    ),
    "studies": (SIGNED_IN, None),
    "study_clips": (SIGNED_IN, None),
    "study_lacking": (SIGNED_IN, None),
    "demos": (SIGNED_IN, None),
    "invitation": (SIGNED_IN, SIGNED_IN),
    **each(
        "study study_people study_history study_progress study_trying stimuli results report "
        "report_pdf method_figure results_latex results_figure results_png results_sound "
        "ratings_csv mushra_csv export",
        READ,
        None,
    ),
    **each(
        "study_setup study_metrics",
        READ,
        WRITE,
    ),
    **each(
        "study_preview study_answer",
        None,
        READ,
    ),
    **each(
        "study_simulate study_simulation_discard study_pilots_discard study_open study_pilot "
        "study_retry study_close study_reopen study_listed study_rename study_duplicate "
        "session_delete results_thresholds results_question results_again",
        None,
        WRITE,
    ),
    **each(
        "study_archive study_restore study_delete results_unseal study_invite study_revoke "
        "study_role study_offer",
        None,
        OWN,
    ),
    "study_unshare": (None, OWN | {"viewer": IN}),  # who leaves
    **each(
        "demo_preview demo_draft_sound demo_export demo_options",
        ALONE,
        None,
    ),
    **each(
        "demo_edit import_draft system",
        ALONE,
        ALONE,
    ),
    **each(
        "demo_save demo_visibility demo_delete import_discard account_token_revoke system_delete "
        "outputs_send output_delete outputs_confirm outputs_discard",
        None,
        ALONE,
    ),
    "outputs": (ALONE, None),
    "made_file": (ALONE, None),
    "made_file_download": (ALONE, None),
    **each(
        "clip clip_rows clip_audio clip_outline clip_zip rendition rendition_audio rendition_bitstream",
        HEARD,
        None,
    ),
    "clip_metrics": (HEARD, WRITE | {"stranger": HIDDEN, "listener": HIDDEN}),
    "rendition_retry": (None, WRITE | {"stranger": HIDDEN, "listener": HIDDEN}),
    **each(
        "clip_kind clip_systems clip_cancel",
        None,
        WRITE,
    ),
    "clip_describe": (None, WRITE),
    "clip_delete": (None, OWN),
    "job": (READ, None),
    "job_retry": (None, WRITE),
    **each("operator accounts account_of", ADMINISTRATORS, None),
    **each("account_new account_change account_link", None, ADMINISTRATORS),
    "account_remove": (ADMINISTRATORS, ADMINISTRATORS),
    # Whoever has a listener's link is the listener.
    **each(
        "session headphones_example round_sound session_resume stimulus_audio stored_work",
        EVERYBODY,
        None,
    ),
    **each(
        "join session_withdraw",
        EVERYBODY,
        EVERYBODY,
    ),
    **each(
        "session_begin session_language session_questions session_volume session_headphones "
        "session_training session_break preview_skip preview_end save_rating save_choice "
        "save_comment save_events finish_trial",
        EVERYBODY,
        EVERYBODY,
    ),
}
#: Of the name "metrics" there are two addresses: the list of metrics, and what Prometheus reads.
ELSEWHERE = {"/metrics"}


def operations(wanted: dict[str, str], **paths: str) -> dict[tuple[str, str], dict[str, str]]:
    """The same outcomes for several operations of the API: by their method, their paths."""
    return {(method, path): wanted for method, found in paths.items() for path in found.split()}


#: The API, operation by operation: none falls under the row of another.
API: dict[tuple[str, str], dict[str, str]] = {
    **operations(
        SIGNED_IN,
        get="/clips /metrics /systems /studies /demos",
        post="/clips /scores /systems /studies /studies/import /imports /demos",
    ),
    **operations(
        READ,
        get="/clips/{clip_id} /studies/{study_id} /studies/{study_id}/sessions /studies/{study_id}/results "
        "/studies/{study_id}/files/{name} /studies/{study_id}/ratings.csv /studies/{study_id}/mushra.csv "
        "/studies/{study_id}/tests /studies/{study_id}/report.pdf /studies/{study_id}/tables/{name}.tex "
        "/studies/{study_id}/figures/{name}.{suffix} /studies/{study_id}/simulation "
        "/studies/{study_id}/history /studies/{study_id}/people",
        post="/studies/{study_id}/answer",
    ),
    **operations(
        WRITE,
        patch="/clips/{clip_id} /studies/{study_id}",
        post="/clips/{clip_id}/retry /clips/{clip_id}/renditions /clips/{clip_id}/metrics "
        "/studies/{study_id}/duplicate /studies/{study_id}/open /studies/{study_id}/close "
        "/studies/{study_id}/reopen /studies/{study_id}/pilot /studies/{study_id}/end-pilot "
        "/studies/{study_id}/retry /studies/{study_id}/metrics /studies/{study_id}/scores "
        "/studies/{study_id}/simulation",
        delete="/clips/{clip_id}/renditions /studies/{study_id}/sessions/{session_id} "
        "/studies/{study_id}/simulation /studies/{study_id}/pilot-sessions",
    ),
    **operations(
        OWN,
        get="/studies/{study_id}/invitations",
        patch="/studies/{study_id}/people/{user}",
        post="/studies/{study_id}/archive /studies/{study_id}/restore /studies/{study_id}/unseal "
        "/studies/{study_id}/invitations /studies/{study_id}/offer",
        delete="/clips/{clip_id} /studies/{study_id} /studies/{study_id}/invitations/{invitation_id}",
    ),
    **operations(OWN | {"viewer": IN}, delete="/studies/{study_id}/people/{user}"),  # who leaves
    **operations(
        ALONE,
        get="/systems/{slug} /outputs/{batch_id} /imports/{draft_id} /demos/{demo_id} /files/{file_id} "
        "/files/{file_id}/content",
        patch="/systems/{slug} /demos/{demo_id}",
        post="/systems/{slug}/outputs /outputs/{batch_id}/confirm /imports/{draft_id} "
        "/demos/{demo_id}/publish",
        delete="/systems/{slug} /systems/{slug}/outputs/{clip_id} /outputs/{batch_id} /imports/{draft_id} "
        "/demos/{demo_id}",
    ),
}


#: What operations need in their bodies, which are looked at before whose the thing is.
BODIES = {
    "/studies/{study_id}/people/{user}": {"role": "viewer"},
    "/studies/{study_id}/offer": {"user": None},
    "/studies/{study_id}/answer": {"accept": False},
    "/studies/{study_id}/unseal": {"understood": True},
    "/studies/{study_id}/metrics": {"metrics": ["stoi"]},
    "/clips/{clip_id}/metrics": {"metrics": ["stoi"]},
    "/clips/{clip_id}/renditions": {"systems": ["opus-9k"]},
}


def operations_of_api() -> set[tuple[str, str]]:
    """What there is, by method and path."""
    paths = api.get_openapi_schema()["paths"]
    return {(method, path.removeprefix("/api")) for path, methods in paths.items() for method in methods}


@dataclass
class World:
    """One of every thing, all alice's, and a client for each person."""

    values: dict[str, Any]
    clients: dict[str, Client]
    scripts: dict[str, Client]


@pytest.fixture
def world(study: Study, alice: User, settings: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    settings.SIGNUP = "open"
    monkeypatch.setattr(jobs, "dispatch", lambda rows: 0)  # nobody works, and there is no broker to wait for
    monkeypatch.setattr(throttling, "wait_for", lambda limit, identity: 0)
    people = {name: User.objects.create_user(name) for name in PEOPLE[1:4] + PEOPLE[5:6]} | {"owner": alice}
    User.objects.filter(username="administrator").update(is_superuser=True)
    Share.objects.create(study=study, user=people["viewer"], role=1)
    Share.objects.create(study=study, user=people["editor"], role=2)
    session = listen(study)
    clip = study.items.exclude(training=True)[0].clip
    assert clip
    rendition = clip.renditions.filter(system="opus-9k").get()
    for field in (rendition.audio, rendition.bitstream):
        field.save("file", ContentFile(b"RIFF"), save=True)
    system = save_system(alice, "Mine")
    batch = OutputBatch.objects.create(owner=alice, system=system)
    demo = new_demo(alice, clip)
    version = DemoVersion.objects.create(demo=demo, number=1, content=demo.draft, status="queued")
    draft = ImportDraft(owner=alice, kind="results", name="x.csv")
    draft.file.save("x.csv", ContentFile(b"a,b\n1,2\n"))
    invitation, link = sharing.invite(study, sharing.Role.VIEWER, many=True)
    accounts.make_api_token(alice)
    values = {
        "study_id": study.pk, "session_id": session.pk, "stimulus_id": 1, "clip_id": clip.pk,
        "draft_id": draft.pk,
        "demo_id": demo.pk, "batch_id": batch.pk, "invitation_id": invitation.pk, "user": "viewer",
        "user_id": people["viewer"].pk, "token_id": ApiToken.objects.get().pk, "slug": system.slug,
        "number": 1, "position": 1, "step": "what", "suffix": "svg", "what": "clips", "key": "x",
        "stage": "x", "rest": "x",
        "rendition": rendition.pk, "version": version.pk, "link": link.rstrip("/").rsplit("/", 1)[1],
        "session": session.token, "join": study.token, "demo": demo.token,
        "preparation": Preparation.objects.get().pk,
        "file_id": MadeFile.objects.create(owner=alice, kind="archive", study=study).pk,
    }  # fmt: skip
    clients = {name: Client(raise_request_exception=False) for name in PEOPLE}
    scripts = {}
    for name, user in people.items():
        clients[name].force_login(user)
        token = accounts.make_api_token(user)
        scripts[name] = Client(raise_request_exception=False, headers={"Authorization": f"Bearer {token}"})
    scripts["stranger"] = Client(raise_request_exception=False)
    clients["listener"].get(reverse("session", args=[session.token]))  # with what cookies that gives
    scripts["listener"] = clients["listener"]
    return World(values, clients, scripts)


def fill(world: World, name: str, route: str) -> str:
    """An address with values: those of alice's things."""
    values = world.values

    def value(found: re.Match[str]) -> str:
        word = found[1]
        if word == "pk":
            kind = next(
                (kind for kind in ("rendition", "outputs") if route.startswith(f"/{kind}")), "clip_id"
            )
            kind = {"rendition": "rendition", "outputs": "batch_id"}.get(kind, kind)
            if name in ("job", "job_retry"):
                kind = "preparation"
            return str(uuid4() if name == "output_delete" else values[kind])
        if word == "token":
            kinds = {"/t/": "join", "/s/": "session", "/d/": "demo", "/invitation": "link"}
            return str(
                values[next((kind for start, kind in kinds.items() if route.startswith(start)), "key")]
            )
        if word == "kind":
            return "preparation"
        if word == "name":
            return "study.json" if name == "export" else "x"
        if word == "system":
            return "original"
        return str(values[word])

    return re.sub(r"<(?:\w+:)?(\w+)>", value, route)


def outcome(answer: Any) -> str:
    """What the answer says of the person's rights."""
    if answer.status_code == 401 or answer.headers.get("Location", "").startswith("/signin/?next="):
        return SIGN_IN
    return {403: FORBIDDEN, 404: HIDDEN}.get(answer.status_code, IN)


#: Buttons that the pages of `World` do not have: of studies that are closed or ready, of what has failed, of
#: a site with a mail server, and the like.
IN_OTHER_STATES = {
    "demo_visibility",
    "job_retry",
    "output_delete",
    "outputs_discard",
    "rendition_retry",
    "results_again",
    "results_question",
    "results_unseal",
    "sample",
    "signin_mail",
    "study_answer",
    "study_archive",
    "study_open",
    "study_pilot",
    "study_pilots_discard",
    "study_reopen",
    "study_restore",
    "study_retry",
    "study_simulation_discard",
    "voice_delete",
}


class Undone(Exception):
    """Ends a request's changes, so that the next person meets the same things."""


#: A table of scores, without which nobody is asked whose the study is.
FORM = encode_multipart(BOUNDARY, {"file": ContentFile(b"clip,system,value\n", name="scores.csv")})


def ask(client: Client, method: str, address: str, body: str | bytes = "") -> Any:
    cookies = deepcopy(client.cookies)
    try:
        with transaction.atomic():
            kind = "application/json" if body else "text/plain"
            if address.endswith("/scores"):
                body, kind = FORM, MULTIPART_CONTENT
            answer = client.generic(method, address, body, kind)
            raise Undone
    except Undone:
        client.cookies = cookies
        return answer


def asked_of(wanted: dict[str, str]) -> list[str]:
    """Who is asked: not everybody where everybody is let in, and nobody of a higher role than one who is."""
    if set(wanted.values()) == {IN}:
        return ["stranger", "owner"]
    spared = ("editor", "owner") if wanted["viewer"] == IN else ()
    return [person for person in PEOPLE if person not in spared]


def compare(wanted: dict[str, str], found: dict[str, str]) -> list[str]:
    """Persons for whom they differ; what the highest of those let in do not find is not there for anybody."""
    let_in = [person for person in found if wanted[person] == IN]
    missing = bool(let_in) and all(found[person] == HIDDEN for person in let_in)
    return [
        f"{person}: {outcome}, not {wanted[person]}"
        for person, outcome in found.items()
        if outcome != wanted[person] and not (missing and person in let_in)
    ]


def is_led_back(answer: Any, method: str, address: str) -> bool:
    """Whether who reads the address of a button is led to its page."""
    return bool(method == "GET" and answer.status_code == 302 and answer["Location"] != address)


def test_who_opens_the_address_of_a_button_comes_to_its_page(world: World) -> None:
    """By GET or HEAD, whoever may press it; a program and a part of a page are told that this is no page."""
    count = 0
    without: set[str] = set()
    for name, route, _defaults in page_addresses():
        view = resolve(address := fill(world, name, route)).func
        if not hasattr(view, "is_action") or hasattr(view, "answers_json"):  # which only scripts call
            continue
        count += 1
        client = world.clients["administrator" if route.startswith("/operator/") else "owner"]
        for look in (client.get, client.head):
            answer = look(address)
            assert answer.status_code == 302, address
        page = client.get(answer["Location"], follow=True)
        assert page.status_code == (404 if name == "voice_delete" else 200), address  # there is no voice
        if f'"{address}"' not in page.content.decode():
            without.add(name)
        for headers in ({"Accept": "application/json"}, {"HX-Request": "true"}):
            refused = client.get(address, headers=headers)
            assert (refused.status_code, refused["Allow"]) == (405, "POST"), address
    assert count > 40
    assert without == IN_OTHER_STATES
    made = reverse("study_invite", args=[world.values["study_id"]])
    assert Client().get(made)["Location"] == f"{reverse('signin')}?next={made}"  # and from there to the page


def test_every_page_lets_in_whom_the_table_says(world: World) -> None:
    wrong, count = {}, 0
    for name, route, _defaults in page_addresses():
        if route in ELSEWHERE:
            continue
        assert name in PAGES, f"{route}: say in PAGES who may use it"
        for method, wanted in zip(("GET", "POST"), PAGES[name], strict=True):
            address = fill(world, name, route)
            if wanted is None:
                answer = ask(world.clients["owner"], method, address)
                if answer.status_code not in (404, 405) and not is_led_back(answer, method, address):
                    wrong[f"{method} {route}"] = [f"is answered ({answer.status_code}), and has no row"]
                continue
            found = {
                person: outcome(ask(world.clients[person], method, address)) for person in asked_of(wanted)
            }
            count += len(found)
            if differences := compare(wanted, found):
                wrong[f"{method} {route}"] = differences
    assert not wrong, "\n".join(f"{where}: {differences}" for where, differences in wrong.items())
    assert count > 500


def test_every_operation_of_the_api_lets_in_whom_the_table_says(world: World) -> None:
    wrong, count = {}, 0
    for (method, path), wanted in API.items():
        address = "/api" + re.sub(r"{(\w+)}", lambda found: str(world.values.get(found[1], "x")), path)
        body = json.dumps(BODIES.get(path, {}))
        found = {
            person: outcome(ask(world.scripts[person], method.upper(), address, body))
            for person in asked_of(wanted)
        }
        count += len(found)
        if differences := compare(wanted, found):
            wrong[f"{method} {path}"] = differences
    assert not wrong, "\n".join(f"{where}: {differences}" for where, differences in wrong.items())
    assert count > 300


def test_the_table_has_a_row_for_each_address_and_operation_and_no_row_too_many() -> None:
    addresses = [each for each in page_addresses() if each.route not in ELSEWHERE]
    names = [each.name for each in addresses]
    assert set(PAGES) - set(names) == set(), "these rows are about nothing"
    assert set(names) - set(PAGES) == set(), "say in PAGES who may use them"
    assert [name for name in set(names) if names.count(name) > 1] == [], (
        "one row stands for several addresses"
    )
    there = operations_of_api()
    assert set(API) - there == set(), "these rows are about nothing"
    assert there - set(API) == set(), "say in API who may use them"
