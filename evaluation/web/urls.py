"""URLs of clips and of everything made from them."""

from __future__ import annotations

from django.urls import path

from evaluation.web.views import downloads, jobs, metrics, outputs, pages

urlpatterns = [
    path("clips/", pages.clips, name="clips"),
    path("clips/favourites/", pages.favourites, name="favourites"),
    path("clips/<uuid:pk>/", pages.clip, name="clip"),
    path("clips/<uuid:pk>/rows/", pages.clip_rows, name="clip_rows"),
    path("clips/<uuid:pk>/metrics/", metrics.clip_metrics, name="clip_metrics"),
    path("clips/<uuid:pk>/describe/", pages.clip_describe, name="clip_describe"),
    path("clips/<uuid:pk>/kind/", pages.clip_kind, name="clip_kind"),
    path("clips/<uuid:pk>/systems/", pages.clip_systems, name="clip_systems"),
    path("clips/<uuid:pk>/cancel/", pages.clip_cancel, name="clip_cancel"),
    path("clips/<uuid:pk>/delete/", pages.clip_delete, name="clip_delete"),
    path("clips/<uuid:pk>/audio.wav", downloads.clip_audio, name="clip_audio"),
    path("clips/<uuid:pk>/outline.json", downloads.clip_outline, name="clip_outline"),
    path("clips/<uuid:pk>/everything.zip", downloads.clip_zip, name="clip_zip"),
    path("metrics/", metrics.metrics, name="metrics"),
    path("renditions/<uuid:pk>/", downloads.rendition, name="rendition"),
    path("renditions/<uuid:pk>/audio.wav", downloads.rendition_audio, name="rendition_audio"),
    path("renditions/<uuid:pk>/bitstream.ear", downloads.rendition_bitstream, name="rendition_bitstream"),
    path("renditions/<uuid:pk>/retry/", downloads.rendition_retry, name="rendition_retry"),
    path("jobs/<slug:kind>/<str:pk>/", jobs.job, name="job"),
    path("jobs/<slug:kind>/<str:pk>/retry/", jobs.job_retry, name="job_retry"),
    path("systems/", outputs.systems, name="systems"),
    path("systems/<slug:slug>/", outputs.system, name="system"),
    path("systems/<slug:slug>/delete/", outputs.system_delete, name="system_delete"),
    path("systems/<slug:slug>/outputs/", outputs.outputs_send, name="outputs_send"),
    path("systems/<slug:slug>/outputs/<uuid:pk>/delete/", outputs.output_delete, name="output_delete"),
    path("outputs/<uuid:pk>/", outputs.outputs_page, name="outputs"),
    path("outputs/<uuid:pk>/confirm/", outputs.outputs_confirm, name="outputs_confirm"),
    path("outputs/<uuid:pk>/discard/", outputs.outputs_discard, name="outputs_discard"),
]
