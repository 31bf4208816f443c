from django.apps import AppConfig


class ListeningConfig(AppConfig):
    name = "listening"

    def ready(self) -> None:
        from evaluation.work import jobs
        from listening.models import Analysis, ImportDraft, Preparation, Simulation

        jobs.register(Preparation, "listening.tasks.prepare_study")
        jobs.register(Simulation, "listening.tasks.simulate")
        jobs.register(Analysis, "listening.tasks.make_analysis")
        jobs.register(ImportDraft, "listening.tasks.import_configuration")
