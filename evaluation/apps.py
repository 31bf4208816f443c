from django.apps import AppConfig


class EvaluationConfig(AppConfig):
    name = "evaluation"

    def ready(self) -> None:
        from evaluation.models import OutputBatch, Rendition, Score
        from evaluation.work import jobs

        jobs.register(
            "evaluation.tasks", make_rendition=Rendition, make_score=Score, handle_outputs=OutputBatch
        )
