from django.apps import AppConfig


class EvaluationConfig(AppConfig):
    name = "evaluation"

    def ready(self) -> None:
        from evaluation.models import OutputBatch, Rendition, Score
        from evaluation.work import jobs

        jobs.register(Rendition, "evaluation.tasks.make_rendition")
        jobs.register(Score, "evaluation.tasks.make_score")
        jobs.register(OutputBatch, "evaluation.tasks.handle_outputs")
