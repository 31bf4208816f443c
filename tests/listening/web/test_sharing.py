"""A study shared with colleagues: what each role can do, invitations, and giving a study away."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.core import mail as outbox
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise

from evaluation.access import Forbidden, Role, role_of, usable_clips, visible_clips
from evaluation.models import Clip
from evaluation.outputs.batches import save_system
from listening.columns.demos import DemoContent
from listening.demos.drafts import new_demo
from listening.demos.facts import clips_of, grades_of
from listening.models import Act, Demo, DemoVersion, Invitation, Mail, Profile, Study, Throttle
from listening.people import mail, sharing
from listening.study import selectors
from listening.study.studies import close_study, duplicate_study
from listening.web import accounts, audit, throttling, urls
from listening.web.api import api
from tests.listening.conftest import SYSTEMS, listen, share


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def carol(db: None) -> User:
    return User.objects.create_user("carol", "carol@example.org", "password")


# -- Roles


def test_a_role_on_a_study_is_one_on_its_clips(
    study: Study, alice: User, bob: User, carol: User, processed: Callable[..., Clip]
) -> None:
    other = processed(alice)
    own = {item.clip for item in study.items.all()}
    share(study, bob, Role.VIEWER)
    share(study, carol, Role.EDITOR)
    assert {role_of(user, study) for user in (bob, carol, alice)} == {1, 2, 3}
    for clip in own:
        assert [role_of(user, clip) for user in (None, bob, carol, alice)] == [0, 1, 2, 3]
    assert [role_of(user, other) for user in (None, bob, carol, alice)] == [0, 0, 0, 3]
    assert (set(visible_clips(bob)), set(usable_clips(bob))) == (own, set())
    assert (set(visible_clips(carol)), set(usable_clips(carol))) == (own, own)
    # Who uses a public clip in a study of their own cannot change it.
    Clip.objects.filter(pk=other.pk).update(public=True)
    made = duplicate_study(study, owner=carol)
    made.items.update(clip=other)
    assert [role_of(user, other) for user in (bob, carol)] == [1, 1]


def test_lists_show_what_is_shared_with_role_and_owner(study: Study, bob: User) -> None:
    share(study, bob, Role.VIEWER)
    client = signed_in(bob)
    for name in ("studies", "clips"):
        page = client.get(reverse(name)).content.decode()
        assert re.search(r"alice</bdi>.s; you are viewer|alice\W*.s; you are viewer", page), name
    script = Client(headers={"Authorization": f"Bearer {accounts.make_api_token(bob)}"})
    for path in ("/api/studies", "/api/clips"):
        assert {(row["role"], row["owner"]) for row in script.get(path).json()["items"]} == {
            ("viewer", "alice")
        }


class Forms(HTMLParser):
    """The addresses to which the forms of a page post."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "form" and values.get("method") == "post" and values.get("id") != "setup":
            self.found.append(values.get("action") or "")


#: Pages of a study, and of its first clip.
PAGES = ("study", "study_people", "results", "report", "stimuli", "study_metrics", "study_trying")


@pytest.mark.parametrize("role", [Role.VIEWER, Role.EDITOR])
def test_pages_offer_only_what_the_role_may_do(study: Study, bob: User, role: Role) -> None:
    listen(study)
    share(study, bob, role)
    clip = study.items.all()[0].clip
    assert clip
    client = signed_in(bob)
    addresses = [reverse(name, args=[study.pk]) for name in PAGES]
    addresses += [reverse("study_setup", args=[study.pk, step]) for step in ("what", "who")]
    addresses += [reverse("clip", args=[clip.pk])]
    offered: set[str] = set()
    for address in addresses:
        answer = client.get(address)
        assert answer.status_code == 200, address
        offered |= {action or address for action in Forms(answer.content.decode()).found}
        if "/setup/" in address:
            fields = re.findall(r"<fieldset class=\"stack\"[^>]*>", answer.content.decode())
            assert all("disabled" in field for field in fields) is (role == Role.VIEWER), address
    assert len(offered) > 2
    offered.discard(reverse("signout"))
    refused = [
        action
        for action in sorted(offered, key=lambda action: "remove" in action)  # leaving comes last
        if client.post(action).status_code in (403, 404)
    ]
    assert refused == []


def test_an_editor_chooses_from_their_own_clips_and_the_studys(
    study: Study, alice: User, bob: User, processed: Callable[..., Clip]
) -> None:
    secret, mine = processed(alice), processed(bob)
    system = save_system(alice, "Nobody else's")
    share(study, bob, Role.EDITOR)
    page = signed_in(bob).get(reverse("study_setup", args=[study.pk, "what"])).content.decode()
    used = {item.clip_id for item in study.items.all()}
    assert all(str(pk) in page for pk in {*used, mine.pk})
    assert str(secret.pk) not in page
    assert system.title not in page
    script = Client(headers={"Authorization": f"Bearer {accounts.make_api_token(bob)}"})
    for clip, status in ((secret, 404), (mine, 200)):
        items = [{"clip": str(pk)} for pk in [*used, clip.pk]]
        answer = script.patch(f"/api/studies/{study.pk}", {"items": items}, content_type="application/json")
        assert answer.status_code == status, answer.content
    assert role_of(alice, mine) == Role.VIEWER  # whose study it is in now
    own = save_system(bob, "Bob's own")
    unheard = "has not been processed by"  # what is said of a system that may be chosen
    for there, chosen, refusal in (
        (SYSTEMS, system.slug, f"There is no system '{system.slug}'"),
        (SYSTEMS, own.slug, f"{unheard} Bob's own"),
        ([*SYSTEMS, system.slug], system.slug, f"{unheard} Nobody else's"),  # the owner has put it in
    ):
        Study.objects.filter(pk=study.pk).update(systems=there)
        change = {"systems": [*SYSTEMS, chosen], "items": [{"clip": str(mine.pk)}]}
        answer = script.patch(f"/api/studies/{study.pk}", change, content_type="application/json")
        assert answer.status_code == 400
        detail = answer.json()["detail"]
        assert refusal in detail
        assert system.slug not in detail.partition("Known:")[2]


def test_a_copy_belongs_to_who_made_it(study: Study, bob: User) -> None:
    share(study, bob, Role.EDITOR)
    signed_in(bob).post(reverse("study_duplicate", args=[study.pk]))
    made = Study.objects.get(owner=bob)
    assert made.items.count() == study.items.count()
    study.shares.all().delete()
    assert role_of(bob, study) == 0
    assert role_of(bob, made.items.all()[0].clip) == Role.VIEWER  # or the copy would be silent


def test_only_an_editor_publishes_grades_and_clips_on_a_demo_page(
    study: Study, alice: User, bob: User
) -> None:
    listen(study, {"original": 100})
    close_study(study)
    clip = study.items.all()[0].clip
    assert clip
    content = DemoContent.model_validate(
        {
            "title": "T",
            "recordings": [{"clip": str(clip.pk)}],
            "systems": study.systems,
            "study": str(study.pk),
        }
    )
    share(study, bob, Role.VIEWER)
    client = signed_in(bob)
    assert (clips_of(content, bob), grades_of(content, bob)) == ({}, None)
    assert client.post(reverse("demo_new"), {"study": study.pk}).status_code == 403
    assert client.post(reverse("demo_new"), {"clip": clip.pk}).status_code == 404
    study.shares.update(role=Role.EDITOR)
    shown = grades_of(content, bob)
    assert shown
    assert shown == grades_of(content, alice)
    assert set(clips_of(content, bob)) == {clip.pk}
    assert client.post(reverse("demo_new"), {"study": study.pk}).status_code == 302


def test_viewers_export_all_but_personal_data(study: Study, bob: User) -> None:
    listen(study)
    share(study, bob, Role.VIEWER)
    script = Client(headers={"Authorization": f"Bearer {accounts.make_api_token(bob)}"})
    page, file = reverse("export", args=[study.pk, "study.json"]), f"/api/studies/{study.pk}/files/study.json"
    for address in (page, file):
        assert script.get(address).status_code == 200
        assert script.get(f"{address}?personal=yes").status_code == 403
    study.shares.update(role=Role.EDITOR)
    for address in (page, file):
        assert script.get(f"{address}?personal=yes").status_code == 200


# -- Invitations


def invite(study: Study, alice: User, **fields: str) -> str:
    """Invite on the page; the path of the link that it shows."""
    page = signed_in(alice).post(reverse("study_invite", args=[study.pk]), fields).content.decode()
    found = re.search(r'id="invitation-link" readonly value="https?://[^/"]+([^"]+)"', page)
    assert found
    assert found[1].split("/")[2] not in str(list(Invitation.objects.values()))  # only its digest is stored
    return found[1]


def test_an_invitation_for_one_lets_one_in(study: Study, alice: User, bob: User, carol: User) -> None:
    link = invite(study, alice, role="editor", many="no", days="7")
    assert Client().get(link)["Location"] == f"{reverse('signin')}?next={link}"
    client = signed_in(bob)
    page = client.get(link).content.decode()
    assert "alice" in page
    assert "as editor" in page
    assert "It works for 7 more days." in page
    assert not study.shares.exists()  # looking is not accepting
    assert client.post(link)["Location"] == reverse("study", args=[study.pk])
    assert role_of(bob, study) == Role.EDITOR
    for answer in (signed_in(carol).get(link), signed_in(carol).post(link)):
        assert answer.status_code == 410
        assert "no longer works" in answer.content.decode()
    assert role_of(carol, study) == 0


def test_an_invitation_for_many_works_until_it_is_revoked_or_expires(
    study: Study, alice: User, bob: User, carol: User
) -> None:
    link = invite(study, alice, role="viewer", many="yes", days="30")
    for user in (bob, carol):
        assert signed_in(user).post(link).status_code == 302
    assert (
        "2 have accepted" in signed_in(alice).get(reverse("study_people", args=[study.pk])).content.decode()
    )
    late = User.objects.create_user("late")
    invitation = Invitation.objects.get()
    Invitation.objects.update(expires=timezone.now() - timedelta(seconds=1))
    assert signed_in(late).post(link).status_code == 410
    Invitation.objects.update(expires=invitation.expires)
    assert signed_in(bob).post(reverse("study_revoke", args=[study.pk, invitation.pk])).status_code == 403
    signed_in(alice).post(reverse("study_revoke", args=[study.pk, invitation.pk]))
    assert signed_in(late).post(link).status_code == 410


def test_an_invitation_lowers_nobodys_role(study: Study, alice: User, bob: User) -> None:
    link = invite(study, alice, role="viewer", many="no", days="1")
    share(study, bob, Role.EDITOR)
    for user in (alice, bob):
        assert signed_in(user).post(link).status_code == 302
    assert (role_of(bob, study), role_of(alice, study)) == (Role.EDITOR, Role.OWNER)
    assert Invitation.objects.get().uses == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"role": "owner"},
        {"role": "3"},
        {"role": "viewer", "days": "365"},
        {"role": "viewer", "days": "a week"},
        {"role": "viewer", "days": ""},
    ],
)
def test_what_is_no_invitation_makes_none(study: Study, alice: User, fields: dict[str, str]) -> None:
    signed_in(alice).post(reverse("study_invite", args=[study.pk]), fields)
    assert not Invitation.objects.exists()


def test_people_come_and_go(study: Study, alice: User, bob: User, carol: User) -> None:
    share(study, bob, Role.VIEWER)
    share(study, carol, Role.VIEWER)
    owner, viewer = signed_in(alice), signed_in(bob)
    assert viewer.post(reverse("study_role", args=[study.pk, bob.pk]), {"role": "editor"}).status_code == 403
    assert viewer.post(reverse("study_unshare", args=[study.pk, carol.pk])).status_code == 403
    to_edit, to_view = (invite(study, alice, role=role, many="yes") for role in ("editor", "viewer"))
    for_one = invite(study, alice, role="viewer", many="no")
    owner.post(reverse("study_role", args=[study.pk, carol.pk]), {"role": "editor"})
    assert role_of(carol, study) == Role.EDITOR
    assert Invitation.objects.count() == 3
    # Who has a link to what they have lost could take it again.
    page = owner.post(reverse("study_role", args=[study.pk, carol.pk]), {"role": "viewer"}, follow=True)
    assert "1 open invitation is revoked" in page.content.decode()
    assert [signed_in(carol).get(link).status_code for link in (to_edit, to_view)] == [410, 200]
    page = owner.post(reverse("study_unshare", args=[study.pk, carol.pk]), follow=True)
    assert "1 open invitation is revoked" in page.content.decode()
    assert signed_in(carol).post(to_view).status_code == 410
    assert role_of(carol, study) == 0
    kept = invite(study, alice, role="viewer", many="yes")  # who leaves takes nothing from the others
    assert viewer.post(reverse("study_unshare", args=[study.pk, bob.pk]))["Location"] == reverse("studies")
    assert [signed_in(carol).get(link).status_code for link in (for_one, kept)] == [200, 200]
    assert viewer.get(reverse("study", args=[study.pk])).status_code == 404
    assert not study.shares.exists()


def test_an_invitation_goes_by_e_mail(study: Study, alice: User, bob: User, settings: Any) -> None:
    address, people = reverse("study_invite", args=[study.pk]), reverse("study_people", args=[study.pk])
    owner, wanted = (
        signed_in(alice),
        {"role": "editor", "many": "yes", "days": "30", "email": "Bob@example.org"},
    )
    page = owner.get(people).content.decode()
    assert "This site sends no e-mail" in page
    assert 'type="email"' not in page
    refused = owner.post(address, wanted, follow=True).content.decode()
    assert "leave the address empty" in refused
    assert not Invitation.objects.exists()
    settings.EMAIL_HOST = "mail.example.org"
    assert 'type="email"' in owner.get(people).content.decode()
    Profile.objects.create(user=bob, language="de")
    page = owner.post(address, wanted).content.decode()
    assert "on its way to Bob@example.org" in page
    shown = re.search(r'id="invitation-link" readonly value="([^"]+)"', page)
    assert shown
    row = Mail.objects.get()
    mail.send(str(row.pk))
    [message] = outbox.outbox
    assert message.to == ["bob@example.org"]
    assert shown[1] in message.body
    assert study.name in message.subject
    assert "30" in message.body
    link = re.search(r"https?://[^/]+(/invitation/\S+)", message.body)
    assert link
    assert signed_in(bob).post(link[1]).status_code == 302
    assert role_of(bob, study) == Role.EDITOR
    assert Invitation.objects.get().many is False
    row.refresh_from_db()
    assert row.body == ""  # the link is nowhere any more
    # The same by the API, within limits.
    script = Client(headers={"Authorization": f"Bearer {accounts.make_api_token(alice)}"})

    def ask(**fields: object) -> int:
        answer = script.post(f"/api/studies/{study.pk}/invitations", fields, content_type="application/json")
        return int(answer.status_code)

    def why(**fields: object) -> str:
        path = f"/api/studies/{study.pk}/invitations"
        return str(script.post(path, fields, content_type="application/json").json()["detail"])

    assert ask(email="eve@example.org", days=1) == 201
    assert "within 1 day. " in Mail.objects.get(to="eve@example.org").body
    assert ask(email="carol@example.org", many=True) == 400
    assert ask(email="no address") == 422
    assert [ask(email="carol@example.org") for _ in range(throttling.INVITED.times + 1)][-2:] == [201, 429]
    assert why(email="carol@example.org").startswith("This address was sent 4 invitations within an hour")
    mails = Mail.objects.filter(to="carol@example.org")
    assert mails.count() == throttling.INVITED.times
    settings.SIGNUP = "open"  # who was invited so often can sign up
    Client().post(reverse("signup"), {"email": "carol@example.org"})
    assert mails.filter(subject__contains="Your account").count() == 1
    Throttle.objects.all().delete()
    for _ in range(throttling.INVITATIONS.times):
        throttling.count_try(throttling.INVITATIONS, str(alice.pk))
    assert ask(email="dora@example.org") == 429
    assert why(email="dora@example.org").startswith("You have sent 50 invitations by e-mail within a day")
    assert ask() == 201  # a link that nobody mails
    Throttle.objects.all().delete()
    settings.INVITATIONS_PER_HOUR = 2  # of all researchers together
    assert [ask(email=f"{name}@example.org") for name in ("dora", "emil", "frida")] == [201, 201, 429]
    assert why(email="frida@example.org").startswith("This site has sent 2 invitations by e-mail within an")
    for _ in range(throttling.INVITED.times):  # none of which was sent
        assert why(email="frida@example.org").startswith("This site has sent 2 invitations by e-mail within")
    page = signed_in(alice).post(
        reverse("study_invite", args=[study.pk]),
        {"role": "viewer", "email": "frida@example.org"},
        follow=True,
    )
    assert "which is its limit for all" in page.content.decode()
    assert ask() == 201


# -- Giving away


def test_a_study_is_given_away_when_the_receiver_accepts(
    study: Study, make_study: Callable[..., Study], alice: User, bob: User, carol: User
) -> None:
    clips = {item.clip for item in study.items.all() if item.clip}
    kept = sorted(clips, key=lambda clip: str(clip.pk))[0]
    make_study().items.update(clip=kept)
    share(study, bob, Role.VIEWER)
    share(study, carol, Role.EDITOR)
    owner, receiver = signed_in(alice), signed_in(bob)
    people = reverse("study_people", args=[study.pk])
    assert owner.post(reverse("study_offer", args=[study.pk]), {"user": "9" * 5000}).status_code == 404
    owner.post(reverse("study_offer", args=[study.pk]), {"user": carol.pk})
    owner.post(reverse("study_offer", args=[study.pk]), {"user": bob.pk})  # in her place
    answer = reverse("study_answer", args=[study.pk])
    assert signed_in(carol).post(answer, {"accept": "yes"})["Location"] == people
    assert Study.objects.get(pk=study.pk).owner == alice
    assert "offers you this study" in receiver.get(people).content.decode()
    assert "offers you a study" in receiver.get(reverse("home")).content.decode()
    link = invite(study, alice, role="editor", many="no")
    study.shares.update(offered=timezone.now())  # as if two offers had been made at the same moment
    receiver.post(answer, {"accept": "yes"})
    assert [role_of(user, study) for user in (alice, bob, carol)] == [2, 3, 2]
    assert not sharing.offered_to(carol).exists()
    assert signed_in(alice).get(link).status_code == 410
    owners = {clip.pk: Clip.objects.get(pk=clip.pk).owner for clip in clips}
    assert owners == {clip.pk: alice if clip == kept else bob for clip in clips}
    assert role_of(bob, kept) == Role.VIEWER
    with pytest.raises(Forbidden):
        selectors.study_of(alice, study.pk, Role.OWNER)


def test_who_gives_a_study_away_keeps_the_clips_of_their_pages(study: Study, alice: User, bob: User) -> None:
    clip = study.items.first().clip  # type: ignore[union-attr]
    assert clip
    page = new_demo(alice, clip)
    sharing.give_study(study, bob)
    assert Clip.objects.get(pk=clip.pk).owner == alice
    DemoVersion.objects.create(demo=page, number=1, content=page.draft)
    Demo.objects.update(draft={})
    for published, owner in ((True, alice), (False, bob)):
        Study.objects.update(owner=alice)
        if not published:
            DemoVersion.objects.all().delete()
        sharing.give_study(Study.objects.get(pk=study.pk), bob)
        assert Clip.objects.get(pk=clip.pk).owner == owner


def test_an_offer_can_be_declined_and_withdrawn(study: Study, alice: User, bob: User) -> None:
    share(study, bob, Role.EDITOR)
    for declines in (True, False):
        sharing.offer(study, bob)
        client, name, fields = (
            (signed_in(bob), "study_answer", {"accept": "no"})
            if declines
            else (signed_in(alice), "study_offer", {})
        )
        page = client.post(reverse(name, args=[study.pk]), fields, follow=True).content.decode()
        assert ("declined" if declines else "withdrawn") in page
        assert not sharing.offered_to(bob).exists()
    # Who is offered nothing has nothing to answer, and the history has no answer of theirs.
    script = Client(headers={"Authorization": f"Bearer {accounts.make_api_token(bob)}"})
    for accept in (True, False):
        fields = {"accept": "yes" if accept else "no"}
        page = signed_in(bob).post(reverse("study_answer", args=[study.pk]), fields, follow=True)
        assert "not offered to you" in page.content.decode()
        answer = script.post(
            f"/api/studies/{study.pk}/answer", {"accept": accept}, content_type="application/json"
        )
        assert answer.status_code == 409
    assert [act.what for act in study.acts.all()] == ["study_offer", "study_answer"]
    assert role_of(alice, study) == Role.OWNER


def test_the_api_shares(study: Study, alice: User, bob: User) -> None:
    def script(user: User) -> Any:
        client = Client(headers={"Authorization": f"Bearer {accounts.make_api_token(user)}"})

        def call(method: str, path: str, body: Any = None) -> tuple[int, Any]:
            answer = client.generic(
                method, f"/api/studies/{study.pk}/{path}", "" if body is None else body, "application/json"
            )
            return answer.status_code, answer.json() if answer.content else None

        return call

    owner, other = script(alice), script(bob)
    assert other("GET", "people")[0] == 404
    status, made = owner("POST", "invitations", '{"role": "editor", "many": true}')
    assert (status, made["role"], made["many"], made["uses"]) == (201, "editor", True, 0)
    sharing.accept(made["url"].rstrip("/").rsplit("/", 1)[1], bob)
    assert other("GET", "people")[1] == [
        {"user": "alice", "role": "owner", "offered": None},
        {"user": "bob", "role": "editor", "offered": None},
    ]
    assert owner("GET", "invitations")[1] == [made | {"url": "", "uses": 1}]
    assert other("GET", "invitations")[0] == 403
    assert owner("DELETE", f"invitations/{made['id']}")[0] == 204
    assert owner("PATCH", "people/bob", '{"role": "viewer"}')[1][1]["role"] == "viewer"
    assert other("PATCH", "people/bob", '{"role": "editor"}')[0] == 403
    assert owner("POST", "offer", '{"user": "bob"}')[1][1]["offered"]
    assert other("POST", "answer", '{"accept": false}')[1][1]["offered"] is None
    assert owner("POST", "offer", '{"user": "bob"}')[1][1]["offered"]
    assert other("POST", "answer", '{"accept": true}')[1][0]["user"] == "bob"
    assert owner("DELETE", "people/alice")[0] == 204
    assert owner("GET", "people")[0] == 404


# -- What was done


def test_the_history_says_who_did_what_by_page_or_token(study: Study, alice: User, bob: User) -> None:
    listen(study)
    share(study, bob, Role.EDITOR)
    owner, editor = signed_in(alice), signed_in(bob)
    editor.post(reverse("study_rename", args=[study.pk]), {"name": "Renamed"})
    owner.post(reverse("study_invite", args=[study.pk]), {"role": "viewer"})
    script = Client(headers={"Authorization": f"Bearer {accounts.make_api_token(bob, 'Laptop')}"})
    script.post(f"/api/studies/{study.pk}/close")
    owner.get(reverse("export", args=[study.pk, "study.json"]) + "?personal=yes")
    for name, thing in (("results_latex", "table3"), ("results_figure", "grades")):
        assert owner.get(reverse(name, args=[study.pk, thing])).status_code == 200
    assert script.get(f"/api/studies/{study.pk}/tables/table3.tex").status_code == 200
    owner.get(reverse("study", args=[study.pk]))  # looking is no act
    editor.post(reverse("study_delete", args=[study.pk]))  # nor is what is refused
    owner.post(reverse("study_invite", args=[study.pk]), {"role": "viewer", "days": "365"})
    Study.objects.update(sealed_until=timezone.now() + timedelta(days=1))
    for name in ("ratings_csv", "report_pdf"):
        assert owner.get(reverse(name, args=[study.pk])).status_code == 302  # to the page that says so
    answer = script.get(f"/api/studies/{study.pk}/history").json()
    assert answer["count"] == 7
    pages = [
        script.get(f"/api/studies/{study.pk}/history", {"limit": 4, "offset": offset}).json()["items"]
        for offset in (0, 4)
    ]
    assert pages == [answer["items"][:4], answer["items"][4:]]
    done = [(row["user"], row["words"], row["token"], row["detail"]) for row in answer["items"]]
    assert done == [
        ("bob", "bob downloaded the table “table3”.", "Laptop", "name=table3"),
        ("alice", "alice downloaded the figure “grades”.", "", "name=grades&suffix=svg"),
        ("alice", "alice downloaded the table “table3”.", "", "name=table3"),
        (
            "alice",
            "alice downloaded the file study.json with personal data.",
            "",
            "name=study.json&personal=yes",
        ),
        ("bob", "bob closed the test.", "Laptop", ""),
        ("alice", "alice invited a viewer.", "", "role=viewer"),
        ("bob", "bob renamed the study.", "", ""),
    ]
    page = owner.get(reverse("study_history", args=[study.pk])).content.decode()
    assert all(words in page for _, words, _, _ in done)
    assert page.count("by the token") == 2
    bob.delete()
    page = owner.get(reverse("study_history", args=[study.pk])).content.decode()
    assert "Somebody whose account is gone" in page


@pytest.mark.django_db(transaction=True)
def test_an_act_is_answered_though_its_study_is_deleted_meanwhile(
    study: Study, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = duplicate_study(study, owner=alice)
    request = RequestFactory().post("/")
    request.user = alice
    for each in (study, other):
        audit.note_study(request, each)

    def delete(_: object) -> str:  # after the list of studies was read
        Study.objects.filter(pk=study.pk).delete()
        return ""

    monkeypatch.setattr(audit, "_detail_of", delete)
    audit.note_acts(request, 302)
    assert [act.study for act in Act.objects.all()] == [other]


def test_new_studies_begin_their_history(study: Study, alice: User) -> None:
    signed_in(alice).post(reverse("study_duplicate", args=[study.pk]))
    assert [act.what for act in Study.objects.exclude(pk=study.pk).get().acts.all()] == ["study_duplicate"]


def named_acts() -> set[str]:
    """Names of what pages and operations of the API do to a study, or take out of it."""
    reading = {
        *("study", "study_people", "study_history", "study_progress", "study_trying", "stimuli", "results"),
        *("report", "results_sound"),
    }
    pages = {str(each.name) for each in urls.research if "study_id" in str(each.pattern)} - reading
    operations = {
        str(operation.operation_id or operation.view_func.__name__)
        for _prefix, router in api._routers
        for path, view in router.path_operations.items()
        if "study_id" in path
        for operation in view.operations
        if "GET" not in operation.methods
    }
    assert len(operations) > 20
    more = {"study_new", "demo_new", "invitation", "create_study", "create_demo"}  # they meet a study, too
    return (pages | operations | more | audit.TAKEN) - {
        "study_delete",
        "delete_study",
    }  # with which the list goes


def test_the_history_has_a_sentence_for_every_act(study: Study, alice: User, bob: User) -> None:
    for what in sorted(named_acts()):
        kind, known = audit.OPERATIONS.get(what, (what, {}))
        assert kind in audit.SENTENCES, f"{what}: say in SENTENCES what people read"
        assert isinstance(audit.SENTENCES[kind], Promise), what  # translated
        special = [key.split(" ")[1].split(":") for key in audit.SENTENCES if key.startswith(f"{kind} ")]
        for values in ({}, *({name: value} for name, value in special)):
            values = {"name": "grades", "suffix": "svg"} | known | values
            act = Act(study=study, user=alice, person=bob, what=what, detail=urlencode(values))
            said = str(audit.words_of(act))
            assert re.fullmatch(r"alice [^_=%]+\.", said), (what, values, said)
    said_of = {
        name: str(audit.words_of(Act(study=study, user=alice, person=bob, what=name, detail=detail)))
        for name, detail in (
            ("change_person", "role=editor"),
            ("study_unshare", "leaves=yes"),
            ("study_setup", "then=open&step=check"),
            ("get_file", "name=archive.zip&personal=yes"),
            # As the first version of the history stored it.
            ("export", "archive.zip personal=yes"),
            ("study_role", str(bob.pk)),
        )
    }
    assert list(said_of.values()) == [
        "alice made bob an editor.",
        "alice left the study.",
        "alice opened the test to listeners.",
        "alice downloaded the file archive.zip with personal data.",
        "alice downloaded the file archive.zip with personal data.",
        "alice changed the role of bob.",
    ]
    with_names = [
        key for key in audit.SENTENCES if key.split(" ")[0] not in {*urls_of_acts(), sharing.HANDED_OVER}
    ]
    assert with_names == [], "these sentences are about nothing"


def urls_of_acts() -> set[str]:
    return {audit.OPERATIONS.get(what, (what, {}))[0] for what in named_acts()}


def test_the_history_says_who_got_which_role(study: Study, alice: User, bob: User, carol: User) -> None:
    share(study, bob, Role.VIEWER)
    owner = signed_in(alice)
    script = Client(headers={"Authorization": f"Bearer {accounts.make_api_token(alice)}"})
    owner.post(reverse("study_role", args=[study.pk, bob.pk]), {"role": "editor"})
    address = f"/api/studies/{study.pk}/people/bob"
    script.patch(address, {"role": "viewer"}, content_type="application/json")
    owner.post(reverse("study_offer", args=[study.pk]), {"user": bob.pk})
    owner.post(reverse("study_offer", args=[study.pk]))
    owner.post(reverse("study_listed", args=[study.pk]), {"listed": "yes"})
    script.delete(address)
    page = owner.get(reverse("study_history", args=[study.pk])).content.decode()
    said = [
        "alice removed bob from the study.",
        "alice had the front page show the test.",
        "alice withdrew the offer of the study.",
        "alice offered the study to bob.",
        "alice made bob a viewer.",
        "alice made bob an editor.",
    ]
    assert re.findall(r"alice [^<]+\.(?=<)", page) == said
    bob.delete()  # and his name goes
    page = owner.get(reverse("study_history", args=[study.pk])).content.decode()
    assert "alice removed somebody whose account is gone from the study." in page
    assert "bob" not in page
