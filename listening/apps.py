from django.apps import AppConfig


class ListeningConfig(AppConfig):
    name = "listening"

    def ready(self) -> None:
        from evaluation.work import jobs
        from listening.models import (
            Analysis,
            DemoVersion,
            ImportDraft,
            MadeFile,
            Mail,
            Preparation,
            Simulation,
            VoiceTrial,
        )
        from listening.people import roles

        roles.load()
        jobs.register("listening.tasks", prepare_study=Preparation, simulate=Simulation)
        jobs.register("listening.tasks", make_analysis=Analysis, import_configuration=ImportDraft)
        jobs.register("listening.tasks", publish_demo=DemoVersion, hear_voice=VoiceTrial)
        jobs.register("listening.tasks", make_file=MadeFile)
        jobs.register("listening.tasks", send_mail=Mail)
