"""Studies that are being prepared, and simulations under way, become jobs of the one queue.

A worker of the older release may hold a lease: it cannot report any more, and the work is queued again.
"""

from django.db import migrations


def fill(apps, schema_editor):
    Study, Preparation, Simulation = (
        apps.get_model('listening', name) for name in ('Study', 'Preparation', 'Simulation')
    )
    for study in Study.objects.filter(status='preparing').iterator():
        Preparation.objects.create(
            study=study,
            status='failed' if study.error else 'queued',
            attempts=study.attempts,
            error=study.error,
        )
    for study in Study.objects.exclude(simulation={}).iterator():
        if study.simulation.pop('state', 'done') == 'running':
            Simulation.objects.create(study=study)
        study.save(update_fields=['simulation'])


def empty(apps, schema_editor):
    Study, Preparation, Simulation = (
        apps.get_model('listening', name) for name in ('Study', 'Preparation', 'Simulation')
    )
    for row in Preparation.objects.exclude(status='done').iterator():
        Study.objects.filter(pk=row.study_id).update(attempts=row.attempts, error=row.error)
    running = set(
        Simulation.objects.filter(status__in=['queued', 'running']).values_list('study', flat=True)
    )
    for study in Study.objects.exclude(simulation={}).iterator():
        asked = {name: study.simulation.pop(name) for name in ['asked'] if name in study.simulation}
        study.simulation |= {'state': 'running' if study.pk in running else 'done'} | asked
        study.save(update_fields=['simulation'])


class Migration(migrations.Migration):

    dependencies = [
        ('listening', '0011_jobs_of_studies'),
    ]

    operations = [
        migrations.RunPython(fill, empty),
    ]
