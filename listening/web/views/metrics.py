"""Objective metrics of a study's stimuli: measure more of them, or upload scores in a table."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.contrib import messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from evaluation.access import Role, rows_for
from evaluation.metrics import DEFAULT, METRICS, OPTIONAL, Metric, metric_of, offered
from evaluation.models import Clip, Job, Rendition, Score
from evaluation.refusals import translate_note
from evaluation.web.guards import researcher_form
from evaluation.web.refusals import redirect_refusals
from evaluation.work.scores import ScoreProblem, check_size, request_scores, store_scores
from listening.models import Study
from listening.web import audit
from listening.web.access import study_for


@dataclass(frozen=True)
class Line:
    """The progress of a metric over a study's `total` renditions; `error` is the message of a failed one."""

    metric: Metric
    total: int
    done: int
    waiting: int
    failed: int
    error: str

    @property
    def can_measure(self) -> bool:
        """Whether the metric can be measured on more renditions."""
        return self.metric.slug in (*DEFAULT, *OPTIONAL) and self.done + self.waiting < self.total


def renditions_of(study: Study) -> QuerySet[Rendition]:
    """Finished renditions that listeners grade, without training."""
    graded = Rendition.objects.filter(stimuli__item__study=study, stimuli__item__training=False)
    return graded.filter(status=Job.Status.DONE).distinct()


def lines_of(study: Study) -> list[Line]:
    """All metrics that can be computed or have scores, in table order."""
    keys = list(renditions_of(study).values_list("pk", flat=True))
    counts: dict[tuple[str, str], int] = {}
    scores = Score.objects.filter(rendition__in=keys)
    for metric, status, n in scores.order_by().values_list("metric", "status").annotate(n=Count("pk")):
        counts[metric, status] = n
    failed = scores.filter(status=Job.Status.FAILED).order_by("metric", "pk").values_list("metric", "error")
    errors = dict(reversed(list(failed)))
    found = {metric for metric, _status in counts}
    speech = study.items.filter(clip__speech=True).exists() or not study.items.exclude(clip=None).exists()
    for_it = {metric.slug for metric in offered(METRICS, speech=speech)}
    order = [*(slug for slug in METRICS if slug in for_it | found), *sorted(found - set(METRICS))]
    return [
        Line(
            metric_of(slug),
            len(keys),
            counts.get((slug, Job.Status.DONE), 0),
            sum(counts.get((slug, status), 0) for status in Job.UNFINISHED),
            counts.get((slug, Job.Status.FAILED), 0),
            translate_note(errors.get(slug, "")),
        )
        for slug in order
    ]


@researcher_form
def metrics(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """The metrics page. POST queues a metric (``measure``) or imports a table (a file ``scores``)."""
    study = study_for(request, study_id)
    if request.method == "POST":
        with redirect_refusals(request, "study_metrics", study.pk):
            if "measure" in request.POST:
                if request_scores(renditions_of(study), request.POST.getlist("measure")):
                    return redirect(reverse("study_metrics", args=[study.pk], fragment="metrics"))
                messages.info(request, _("There is nothing new to measure."))
            else:
                _take(request, study)
                audit.tell(request, scores="yes")
        return redirect("study_metrics", study.pk)
    lines = lines_of(study)
    context = {
        "study": study,
        "section": "studies",
        "lines": lines,
        "total": lines[0].total,
        "measuring": any(line.waiting for line in lines),
        "table": reverse("study_metrics", args=[study.pk]),
    }
    part = "HX-Request" in request.headers
    return render(request, "listening/_metrics.html" if part else "listening/metrics.html", context)


def _take(request: HttpRequest, study: Study) -> None:
    file = request.FILES.get("scores")
    metric = request.POST.get("metric", "").strip().lower() or "polqa"
    if file is None:
        raise ScoreProblem(_("No file arrived. Choose a table of scores."))
    # Of other people's clips, which others see too, this user may not set the scores.
    clips = rows_for(request.user, Clip, Role.EDITOR).filter(items__study=study).distinct()
    try:
        check_size(file.size)
        stored = store_scores(file.read(), clips, metric=metric, source=file.name or "")
    except ScoreProblem as problem:
        raise ScoreProblem(_("%(file)s: %(problem)s"), file=file.name, problem=problem) from None
    number = stored.created + stored.replaced
    values = {"count": number, "metric": metric_of(metric).title, "replaced": stored.replaced}
    if stored.replaced:
        text = ngettext(
            "%(count)s score of %(metric)s taken, %(replaced)s of them in place of earlier ones.",
            "%(count)s scores of %(metric)s taken, %(replaced)s of them in place of earlier ones.",
            number,
        )
    else:
        text = ngettext(
            "%(count)s score of %(metric)s taken.", "%(count)s scores of %(metric)s taken.", number
        )
    messages.success(request, text % values)
