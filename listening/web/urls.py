"""All URLs of the site. `evaluation` lists its own pages; the API includes both apps."""

from __future__ import annotations

from django.urls import include, path

from listening.web.api import api
from listening.web.views import (
    account,
    accounts,
    administration,
    demo_editor,
    demos,
    documents,
    exports,
    health,
    home,
    imports,
    made_files,
    methods,
    metrics,
    oidc,
    operator,
    report,
    results,
    sessions,
    setup,
    sharing,
    signup,
    simulation,
    steps,
    stimuli,
    studies,
    trials,
    voices,
)

people = [
    path("docs/", documents.index, name="documents"),
    path("docs/<slug:name>/", documents.document, name="document"),
    path("docs/images/<str:name>", documents.picture, name="document_picture"),
    path("", accounts.front, name="front"),
    path("signin/", accounts.signin, name="signin"),
    path("signin/mail/", signup.signin_mail, name="signin_mail"),
    path("signin/oidc/", oidc.start, name="oidc"),
    path("signin/oidc/back/", oidc.back, name="oidc_back"),
    path("signin/<str:token>/", accounts.signin_link, name="signin_link"),
    path("signup/", signup.sign_up, name="signup"),
    path("signup/<str:token>/", signup.signup_link, name="signup_link"),
    path("unsubscribe/<str:token>/", account.unsubscribe, name="unsubscribe"),
    path("signout/", accounts.signout, name="signout"),
]

own_account = [
    path("account/", account.account, name="account"),
    path("account/about/", account.about, name="account_about"),
    path("account/password/", account.password, name="account_password"),
    path("account/tokens/", account.make_token, name="account_token"),
    path("account/tokens/<int:token_id>/revoke/", account.revoke_token, name="account_token_revoke"),
    path("account/delete/", account.delete, name="account_delete"),
]

administered_accounts = [
    path("operator/accounts/", administration.accounts, name="accounts"),
    path("operator/accounts/new/", administration.make, name="account_new"),
    path("operator/accounts/<int:user_id>/", administration.account, name="account_of"),
    path("operator/accounts/<int:user_id>/change/", administration.change, name="account_change"),
    path("operator/accounts/<int:user_id>/link/", administration.make_link, name="account_link"),
    path("operator/accounts/<int:user_id>/delete/", administration.remove, name="account_remove"),
]

research = [
    path("home/", home.home, name="home"),
    path("home/sample/", home.sample, name="sample"),
    path("studies/", studies.studies, name="studies"),
    path("studies/new/", setup.study_new, name="study_new"),
    path("studies/clips/", setup.clips, name="study_clips"),
    path("studies/lacking/", setup.lacking, name="study_lacking"),
    path("import/", imports.start, name="import"),
    path("import/<uuid:draft_id>/", imports.draft, name="import_draft"),
    path("import/<uuid:draft_id>/discard/", imports.discard, name="import_discard"),
    path("studies/<uuid:study_id>/", studies.study, name="study"),
    path("studies/<uuid:study_id>/setup/<slug:step>/", setup.study_setup, name="study_setup"),
    path("studies/<uuid:study_id>/trying/", simulation.section, name="study_trying"),
    path("studies/<uuid:study_id>/simulate/", simulation.simulate, name="study_simulate"),
    path("studies/<uuid:study_id>/simulate/discard/", simulation.discard, name="study_simulation_discard"),
    path("studies/<uuid:study_id>/pilot/discard/", simulation.discard_pilots, name="study_pilots_discard"),
    path("studies/<uuid:study_id>/open/", studies.open_study, name="study_open"),
    path("studies/<uuid:study_id>/preview/", studies.preview, name="study_preview"),
    path("studies/<uuid:study_id>/pilot/", studies.pilot, name="study_pilot"),
    path("studies/<uuid:study_id>/people/", sharing.people, name="study_people"),
    path("studies/<uuid:study_id>/history/", sharing.history, name="study_history"),
    path("studies/<uuid:study_id>/people/invite/", sharing.invite, name="study_invite"),
    path("studies/<uuid:study_id>/people/offer/", sharing.offer, name="study_offer"),
    path("studies/<uuid:study_id>/people/answer/", sharing.answer, name="study_answer"),
    path("studies/<uuid:study_id>/people/<int:user_id>/role/", sharing.change_role, name="study_role"),
    path("studies/<uuid:study_id>/people/<int:user_id>/remove/", sharing.end_share, name="study_unshare"),
    path(
        "studies/<uuid:study_id>/invitations/<int:invitation_id>/revoke/", sharing.revoke, name="study_revoke"
    ),
    path("invitation/<str:token>/", sharing.invitation, name="invitation"),
    path("studies/<uuid:study_id>/stimuli/", stimuli.stimuli, name="stimuli"),
    path("studies/<uuid:study_id>/progress/", studies.progress, name="study_progress"),
    path("studies/<uuid:study_id>/retry/", studies.retry, name="study_retry"),
    path("studies/<uuid:study_id>/close/", studies.close, name="study_close"),
    path("studies/<uuid:study_id>/reopen/", studies.reopen, name="study_reopen"),
    path("studies/<uuid:study_id>/listed/", studies.change_listing, name="study_listed"),
    path("studies/<uuid:study_id>/rename/", studies.rename, name="study_rename"),
    path("studies/<uuid:study_id>/duplicate/", studies.duplicate, name="study_duplicate"),
    path("studies/<uuid:study_id>/archive/", studies.archive, name="study_archive"),
    path("studies/<uuid:study_id>/restore/", studies.restore, name="study_restore"),
    path("studies/<uuid:study_id>/delete/", studies.delete, name="study_delete"),
    path(
        "studies/<uuid:study_id>/sessions/<uuid:session_id>/delete/",
        studies.delete_session,
        name="session_delete",
    ),
    path("studies/<uuid:study_id>/metrics/", metrics.metrics, name="study_metrics"),
    path("studies/<uuid:study_id>/results/", results.results, name="results"),
    path("studies/<uuid:study_id>/report/", report.report, name="report"),
    path("studies/<uuid:study_id>/report.pdf", report.report_pdf, name="report_pdf"),
    path("studies/<uuid:study_id>/results/unseal/", results.break_seal, name="results_unseal"),
    path("studies/<uuid:study_id>/results/thresholds/", results.thresholds, name="results_thresholds"),
    path("studies/<uuid:study_id>/results/question/", results.question, name="results_question"),
    path("studies/<uuid:study_id>/results/again/", results.recompute, name="results_again"),
    path("studies/<uuid:study_id>/results/method.<str:suffix>", results.method_figure, name="method_figure"),
    path("studies/<uuid:study_id>/results/<slug:name>.tex", results.table, name="results_latex"),
    path(
        "studies/<uuid:study_id>/results/<slug:name>.svg", results.figure, {"suffix": "svg"}, "results_figure"
    ),
    path("studies/<uuid:study_id>/results/<slug:name>.png", results.figure, {"suffix": "png"}, "results_png"),
    path("studies/<uuid:study_id>/sounds/<int:stimulus_id>.wav", results.sound, name="results_sound"),
    path("studies/<uuid:study_id>/ratings.csv", exports.export, {"name": "ratings.csv"}, name="ratings_csv"),
    path("studies/<uuid:study_id>/mushra.csv", exports.export, {"name": "mushra.csv"}, name="mushra_csv"),
    path("studies/<uuid:study_id>/export/<str:name>", exports.export, name="export"),
    path("files/<uuid:file_id>/", made_files.made_file, name="made_file"),
    path("files/<uuid:file_id>/download", made_files.download, name="made_file_download"),
]

demo_pages = [
    path("gallery/", demos.gallery, name="gallery"),
    path("d/<str:token>/", demos.demo, name="demo"),
    path("d/<str:token>/embed/", demos.embed, name="demo_embed"),
    path("d/<str:token>/v<int:number>/", demos.demo, name="demo_version"),
    path("d/<str:token>/v<int:number>/picture.png", demos.picture, name="demo_picture"),
    path("d/<str:token>/v<int:number>/<int:position>-<str:system>.flac", demos.sound, name="demo_sound"),
    path("demos/", demo_editor.demos, name="demos"),
    path("demos/new/", demo_editor.create, name="demo_new"),
    path("demos/<uuid:demo_id>/", demo_editor.edit, name="demo_edit"),
    path("demos/<uuid:demo_id>/save/", demo_editor.save, name="demo_save"),
    path("demos/<uuid:demo_id>/options/<slug:what>/", demo_editor.options, name="demo_options"),
    path("demos/<uuid:demo_id>/preview/", demo_editor.preview, name="demo_preview"),
    path(
        "demos/<uuid:demo_id>/preview/<int:position>-<str:system>.flac",
        demo_editor.draft_sound,
        name="demo_draft_sound",
    ),
    path("demos/<uuid:demo_id>/export.zip", demo_editor.export, name="demo_export"),
    path("demos/<uuid:demo_id>/visibility/", demo_editor.change_visibility, name="demo_visibility"),
    path("demos/<uuid:demo_id>/delete/", demo_editor.delete, name="demo_delete"),
]

voice_pages = [
    path("voice/", voices.create, name="voice_new"),
    path("voice/<str:token>/", voices.voice, name="voice"),
    path("voice/<str:token>/state/", voices.state, name="voice_state"),
    path("voice/<str:token>/delete/", voices.delete, name="voice_delete"),
    path("voice/<str:token>/<str:system>.wav", voices.sound, name="voice_sound"),
]

# None of these URLs may reveal anything about a trial's recordings.
trial = [
    path("ratings/", trials.save_rating, name="save_rating"),
    path("choice/", methods.choice, name="save_choice"),
    path("comment/", trials.save_comment, name="save_comment"),
    path("stored/", trials.show_stored, name="stored_work"),
    path("events/", trials.save_events, name="save_events"),
    path("finish/", trials.finish_trial, name="finish_trial"),
    path("<str:key>.wav", trials.stimulus_audio, name="stimulus_audio"),
]

listener = [
    path("t/<str:token>/", sessions.join, name="join"),
    path("s/<str:token>/", sessions.session, name="session"),
    path("s/<str:token>/begin/", steps.begin, name="session_begin"),
    path("s/<str:token>/language/", steps.language, name="session_language"),
    path("s/<str:token>/questions/", steps.questions, name="session_questions"),
    path("s/<str:token>/volume/", steps.volume, name="session_volume"),
    path("s/<str:token>/headphones/", steps.screening, name="session_headphones"),
    path("s/<str:token>/headphones/example.wav", steps.headphones_example, name="headphones_example"),
    path("s/<str:token>/headphones/<slug:stage>-<int:number>.wav", steps.round_sound, name="round_sound"),
    path("s/<str:token>/training/", steps.training, name="session_training"),
    path("s/<str:token>/break/", steps.rest, name="session_break"),
    path("s/<str:token>/preview/skip/", steps.skip, name="preview_skip"),
    path("s/<str:token>/preview/end/", steps.end_preview, name="preview_end"),
    path("s/<str:token>/withdraw/", steps.withdraw, name="session_withdraw"),
    path("s/<str:token>/trials/<int:position>/", include(trial)),
    path("s/<str:token>/<path:rest>", steps.resume, name="session_resume"),
]

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("operator/", operator.overview, name="operator"),
    *administered_accounts,
    *people,
    *own_account,
    *research,
    *demo_pages,
    *voice_pages,
    *listener,
    path("", include("evaluation.web.urls")),  # /clips/..., /renditions/...
    path("api/", api.urls),
]

handler400 = "listening.web.views.errors.bad_request"
handler403 = "listening.web.views.errors.forbidden"
handler404 = "listening.web.views.errors.not_found"
handler500 = "listening.web.views.errors.server_error"
