"""All URLs of the site. `evaluation` lists its own pages; the API includes both apps."""

from __future__ import annotations

from django.urls import include, path

from listening.web.api import api
from listening.web.views import (
    accounts,
    exports,
    imports,
    methods,
    metrics,
    report,
    results,
    sessions,
    setup,
    simulation,
    steps,
    stimuli,
    studies,
    trials,
)

people = [
    path("", accounts.front, name="front"),
    path("signin/", accounts.signin, name="signin"),
    path("signin/<str:token>/", accounts.signin_link, name="signin_link"),
    path("signout/", accounts.signout, name="signout"),
]

research = [
    path("studies/", studies.studies, name="studies"),
    path("studies/new/", setup.study_new, name="study_new"),
    path("import/", imports.start, name="import"),
    path("import/<uuid:draft_id>/", imports.draft, name="import_draft"),
    path("import/<uuid:draft_id>/discard/", imports.discard, name="import_discard"),
    path("studies/<uuid:study_id>/", studies.study, name="study"),
    path("studies/<uuid:study_id>/setup/<slug:step>/", setup.study_setup, name="study_setup"),
    path("studies/<uuid:study_id>/trying/", simulation.trying, name="study_trying"),
    path("studies/<uuid:study_id>/simulate/", simulation.simulate, name="study_simulate"),
    path("studies/<uuid:study_id>/simulate/discard/", simulation.discard, name="study_simulation_discard"),
    path("studies/<uuid:study_id>/pilot/discard/", simulation.discard_pilots, name="study_pilots_discard"),
    path("studies/<uuid:study_id>/open/", studies.open_study, name="study_open"),
    path("studies/<uuid:study_id>/pilot/", studies.pilot, name="study_pilot"),
    path("studies/<uuid:study_id>/stimuli/", stimuli.stimuli, name="stimuli"),
    path("studies/<uuid:study_id>/progress/", studies.progress, name="study_progress"),
    path("studies/<uuid:study_id>/retry/", studies.retry, name="study_retry"),
    path("studies/<uuid:study_id>/close/", studies.close, name="study_close"),
    path("studies/<uuid:study_id>/reopen/", studies.reopen, name="study_reopen"),
    path("studies/<uuid:study_id>/listed/", studies.listed, name="study_listed"),
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
]

# None of these URLs may reveal anything about a trial's recordings.
trial = [
    path("ratings/", trials.save_rating, name="save_rating"),
    path("choice/", methods.choice, name="save_choice"),
    path("comment/", trials.save_comment, name="save_comment"),
    path("events/", trials.save_events, name="save_events"),
    path("finish/", trials.finish_trial, name="finish_trial"),
    path("<str:key>.wav", trials.stimulus_audio, name="stimulus_audio"),
]

listener = [
    path("t/<str:token>/", sessions.join, name="join"),
    path("s/<str:token>/", sessions.session, name="session"),
    path("s/<str:token>/begin/", steps.begin, name="session_begin"),
    path("s/<str:token>/questions/", steps.questions, name="session_questions"),
    path("s/<str:token>/volume/", steps.volume, name="session_volume"),
    path("s/<str:token>/headphones/", steps.screening, name="session_headphones"),
    path("s/<str:token>/headphones/example.wav", steps.headphones_example, name="headphones_example"),
    path("s/<str:token>/headphones/<slug:stage>-<int:number>.wav", steps.round_sound, name="round_sound"),
    path("s/<str:token>/training/", steps.training, name="session_training"),
    path("s/<str:token>/break/", steps.rest, name="session_break"),
    path("s/<str:token>/withdraw/", steps.withdraw, name="session_withdraw"),
    path("s/<str:token>/trials/<int:position>/", include(trial)),
]

urlpatterns = [
    *people,
    *research,
    *listener,
    path("", include("evaluation.web.urls")),  # /clips/..., /renditions/...
    path("api/", api.urls),
]

handler400 = "listening.web.views.errors.bad_request"
handler403 = "listening.web.views.errors.forbidden"
handler404 = "listening.web.views.errors.not_found"
handler500 = "listening.web.views.errors.server_error"
