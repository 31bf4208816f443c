import django.db.models.deletion
import listening.models
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """All tables in one step, for new databases; older ones go on by the migrations that it replaces."""

    replaces = [
        ('listening', '0001_initial'),
        ('listening', '0002_studies_in_full'),
        ('listening', '0003_place'),
        ('listening', '0004_analyses'),
        ('listening', '0005_imports'),
        ('listening', '0006_method_options'),
        ('listening', '0007_alignment_and_throttles'),
        ('listening', '0008_training_repeats'),
        ('listening', '0009_simulation'),
        ('listening', '0010_completion_code'),
        ('listening', '0011_jobs_of_studies'),
        ('listening', '0012_fill_jobs_of_studies'),
        ('listening', '0013_remove_study_lease'),
    ]

    initial = True

    dependencies = [
        ('evaluation', '0001_squashed_0004_output_checks'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Assessor',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(default=listening.models.assessor_code, max_length=16, unique=True)),
                ('created', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'ordering': ['created', 'id'],
            },
        ),
        migrations.CreateModel(
            name='Study',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=200)),
                ('method', models.CharField(default='mushra', help_text='slug in listening.methods', max_length=20)),
                ('method_options', models.JSONField(default=dict, help_text="options of the method: its `Options` model")),
                ('systems', models.JSONField(help_text="slugs of the systems under test; the method adds those that every trial has")),
                ('language', models.CharField(default='en', help_text="language of the listeners' pages", max_length=10)),
                ('texts', models.JSONField(default=dict, help_text="the researcher's own texts: consent, instructions, thanks")),
                ('sample_rate', models.PositiveIntegerField(default=16000, help_text="sample rate of every stimulus, Hz")),
                ('design', models.JSONField(default=dict, help_text="how items and systems are divided among sessions; empty: not at all")),
                ('questionnaire', models.JSONField(default=list, help_text='questions before or after the trials')),
                ('headphones', models.JSONField(default=dict, help_text="headphone screening tests and their pass marks; empty: none")),
                ('recruitment', models.JSONField(default=dict, help_text="recruitment platform (Prolific, MTurk) and its completion codes")),
                ('post_screening', models.JSONField(default=dict, help_text="the researcher's custom thresholds")),
                ('break_after', models.PositiveSmallIntegerField(blank=True, help_text="number of trials after which a break is offered", null=True)),
                ('training_repeats', models.PositiveSmallIntegerField(default=0, help_text="how often a listener may repeat the training; 0: not offered")),
                ('max_sessions', models.PositiveIntegerField(blank=True, help_text="maximum number of listeners", null=True)),
                ('opens', models.DateTimeField(blank=True, null=True)),
                ('closes', models.DateTimeField(blank=True, null=True)),
                ('pilot', models.BooleanField(default=False, help_text="whether new sessions are pilot sessions, which are kept apart")),
                ('simulation', models.JSONField(default=dict, help_text="number and model parameters of simulated listeners (listening.simulation.runs)")),
                ('sealed_until', models.DateTimeField(blank=True, help_text="nobody, the owner included, sees grades before this time", null=True)),
                ('unsealed', models.DateTimeField(blank=True, help_text="when the owner broke the seal early; this cannot be undone", null=True)),
                ('imported', models.JSONField(default=dict, help_text="origin of an imported study: format, file, notes")),
                ('seed', models.PositiveBigIntegerField(help_text="seed from which every order in the study is derived")),
                ('token', models.CharField(default=listening.models.opaque_token, help_text="token of the listener link", max_length=43, unique=True)),
                ('status', models.CharField(choices=[('preparing', 'Preparing'), ('ready', 'Ready'), ('open', 'Open'), ('closed', 'Closed')], default='preparing', max_length=10)),
                ('open_when_ready', models.BooleanField(default=True, help_text="open the study as soon as its stimuli are rendered")),
                ('listed', models.BooleanField(default=False, help_text="listed on the public front page")),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='studies', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name_plural': 'studies',
                'ordering': ['-created', 'id'],
            },
        ),
        migrations.CreateModel(
            name='Throttle',
            fields=[
                ('key', models.CharField(help_text="HMAC of the limit's scope and the identity counted", max_length=64, primary_key=True, serialize=False)),
                ('count', models.PositiveIntegerField()),
                ('expires', models.DateTimeField(db_index=True)),
            ],
            options={
                'ordering': ['expires', 'key'],
            },
        ),
        migrations.CreateModel(
            name='ApiToken',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(max_length=64, unique=True)),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='api_token', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['created'],
            },
        ),
        migrations.CreateModel(
            name='Preparation',
            fields=[
                ('status', models.CharField(choices=[('queued', 'Queued'), ('running', 'Running'), ('done', 'Done'), ('failed', 'Failed')], db_index=True, default='queued', max_length=10)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('claim', models.UUIDField(blank=True, editable=False, help_text="token of the lease's holder", null=True)),
                ('lease_until', models.DateTimeField(blank=True, null=True)),
                ('dispatched', models.DateTimeField(blank=True, help_text='when a message was last sent for it', null=True)),
                ('started', models.DateTimeField(blank=True, null=True)),
                ('finished', models.DateTimeField(blank=True, null=True)),
                ('error', models.TextField(blank=True, help_text='for people: what went wrong and what to do')),
                ('log', models.TextField(blank=True)),
                ('study', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='preparation', serialize=False, to='listening.study')),
            ],
            options={
                'ordering': ['pk'],
            },
        ),
        migrations.CreateModel(
            name='Simulation',
            fields=[
                ('status', models.CharField(choices=[('queued', 'Queued'), ('running', 'Running'), ('done', 'Done'), ('failed', 'Failed')], db_index=True, default='queued', max_length=10)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('claim', models.UUIDField(blank=True, editable=False, help_text="token of the lease's holder", null=True)),
                ('lease_until', models.DateTimeField(blank=True, null=True)),
                ('dispatched', models.DateTimeField(blank=True, help_text='when a message was last sent for it', null=True)),
                ('started', models.DateTimeField(blank=True, null=True)),
                ('finished', models.DateTimeField(blank=True, null=True)),
                ('error', models.TextField(blank=True, help_text='for people: what went wrong and what to do')),
                ('log', models.TextField(blank=True)),
                ('study', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='simulation_job', serialize=False, to='listening.study')),
            ],
            options={
                'ordering': ['pk'],
            },
        ),
        migrations.CreateModel(
            name='Item',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(blank=True, help_text="replaces the clip's title", max_length=200)),
                ('position', models.PositiveSmallIntegerField()),
                ('start', models.FloatField(default=0.0)),
                ('end', models.FloatField(default=0.0)),
                ('training', models.BooleanField(default=False, help_text="training item: graded first, its grades are not used (M14)")),
                ('clip', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='items', to='evaluation.clip')),
                ('study', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='items', to='listening.study')),
            ],
            options={
                'ordering': ['study', 'position'],
            },
        ),
        migrations.CreateModel(
            name='ImportDraft',
            fields=[
                ('status', models.CharField(choices=[('queued', 'Queued'), ('running', 'Running'), ('done', 'Done'), ('failed', 'Failed')], db_index=True, default='queued', max_length=10)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('claim', models.UUIDField(blank=True, editable=False, help_text="token of the lease's holder", null=True)),
                ('lease_until', models.DateTimeField(blank=True, null=True)),
                ('dispatched', models.DateTimeField(blank=True, help_text='when a message was last sent for it', null=True)),
                ('started', models.DateTimeField(blank=True, null=True)),
                ('finished', models.DateTimeField(blank=True, null=True)),
                ('error', models.TextField(blank=True, help_text='for people: what went wrong and what to do')),
                ('log', models.TextField(blank=True)),
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('results', 'Results'), ('configuration', 'Configuration')], max_length=13)),
                ('name', models.CharField(help_text="name of the uploaded file", max_length=255)),
                ('file', models.FileField(max_length=255, upload_to='imports/')),
                ('extra', models.FileField(blank=True, help_text='recordings as a zip, or a table of scores', max_length=255, upload_to='imports/')),
                ('choices', models.JSONField(default=dict, help_text="the researcher's choices: name, method, mapping")),
                ('progress', models.JSONField(default=dict, help_text="{done, total} recordings read")),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='import_drafts', to=settings.AUTH_USER_MODEL)),
                ('study', models.ForeignKey(blank=True, help_text="the study created from it", null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='listening.study')),
            ],
            options={
                'ordering': ['-created', 'id'],
            },
        ),
        migrations.CreateModel(
            name='Deletion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField(help_text="number of the deleted session")),
                ('ratings', models.PositiveIntegerField(help_text="how many grades were deleted with it")),
                ('reason', models.CharField(blank=True, max_length=200)),
                ('deleted', models.DateTimeField(auto_now_add=True)),
                ('study', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='deletions', to='listening.study')),
            ],
            options={
                'ordering': ['study', 'deleted', 'id'],
            },
        ),
        migrations.CreateModel(
            name='Analysis',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(choices=[('queued', 'Queued'), ('running', 'Running'), ('done', 'Done'), ('failed', 'Failed')], db_index=True, default='queued', max_length=10)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('claim', models.UUIDField(blank=True, editable=False, help_text="token of the lease's holder", null=True)),
                ('lease_until', models.DateTimeField(blank=True, null=True)),
                ('dispatched', models.DateTimeField(blank=True, help_text='when a message was last sent for it', null=True)),
                ('started', models.DateTimeField(blank=True, null=True)),
                ('finished', models.DateTimeField(blank=True, null=True)),
                ('error', models.TextField(blank=True, help_text='for people: what went wrong and what to do')),
                ('log', models.TextField(blank=True)),
                ('kind', models.CharField(choices=[('real', 'Real'), ('pilot', 'Pilot'), ('simulated', 'Simulated'), ('imported', 'Imported')], help_text="kind of the sessions analysed", max_length=10)),
                ('profile', models.CharField(help_text="screening profile: none, bs1534, mpeg or own", max_length=20)),
                ('fingerprint', models.CharField(help_text="SHA-256 of the grades and settings analysed", max_length=64)),
                ('data', models.JSONField(default=dict, help_text="result of listening.results.heavy.compute")),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('study', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='analyses', to='listening.study')),
            ],
            options={
                'verbose_name_plural': 'analyses',
                'ordering': ['-created', '-id'],
            },
        ),
        migrations.CreateModel(
            name='Session',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('number', models.PositiveIntegerField(help_text="number of the session in its study, from 1")),
                ('kind', models.CharField(choices=[('real', 'Real'), ('pilot', 'Pilot'), ('simulated', 'Simulated'), ('imported', 'Imported')], default='real', help_text="sessions of different kinds are never analysed together", max_length=10)),
                ('block', models.PositiveIntegerField(blank=True, help_text="block of the study's design that the session hears", null=True)),
                ('place', models.PositiveIntegerField(blank=True, help_text="place in the design, from 0; a drop-out's place is given to another listener", null=True)),
                ('token', models.CharField(default=listening.models.opaque_token, max_length=43, unique=True)),
                ('seed', models.PositiveBigIntegerField(help_text="derived from the study's seed; determines trial and stimulus orders")),
                ('instructed', models.DateTimeField(blank=True, help_text="when the listener confirmed the instructions", null=True)),
                ('completion_code', models.CharField(blank=True, help_text="empty for imported sessions", max_length=16)),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('finished', models.DateTimeField(blank=True, null=True)),
                ('screened_out', models.DateTimeField(blank=True, help_text='when the headphone screening ended the session', null=True)),
                ('abandoned', models.DateTimeField(blank=True, help_text="when its place was given to another listener", null=True)),
                ('label', models.CharField(blank=True, help_text="the listener's label in an imported file; may be a name: exported only on request", max_length=100)),
                ('assessor', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sessions', to='listening.assessor')),
                ('study', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sessions', to='listening.study')),
            ],
            options={
                'ordering': ['study', 'number'],
            },
        ),
        migrations.CreateModel(
            name='Participation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('platform', models.CharField(help_text='prolific or mturk', max_length=20)),
                ('person', models.CharField(help_text='PROLIFIC_PID or workerId', max_length=128)),
                ('references', models.JSONField(default=dict, help_text="the platform's other ids, unchanged")),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('study', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='participations', to='listening.study')),
                ('session', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='participation', to='listening.session')),
            ],
            options={
                'ordering': ['study', 'created', 'id'],
            },
        ),
        migrations.CreateModel(
            name='Answer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('question', models.CharField(help_text="name of the question in the study's questionnaire", max_length=64)),
                ('value', models.JSONField()),
                ('updated', models.DateTimeField(auto_now=True)),
                ('session', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='answers', to='listening.session')),
            ],
            options={
                'ordering': ['session', 'id'],
            },
        ),
        migrations.CreateModel(
            name='SigninLink',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(max_length=64, unique=True)),
                ('expires', models.DateTimeField()),
                ('used', models.DateTimeField(blank=True, null=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='signin_links', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-expires'],
            },
        ),
        migrations.CreateModel(
            name='Stage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='slug in listening.session.sessions: volume, headphones, ...', max_length=20)),
                ('data', models.JSONField(default=dict)),
                ('finished', models.DateTimeField(auto_now_add=True)),
                ('session', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='stages', to='listening.session')),
            ],
            options={
                'ordering': ['session', 'finished', 'id'],
            },
        ),
        migrations.CreateModel(
            name='Stimulus',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('system', models.CharField(max_length=64)),
                ('audio', models.FileField(blank=True, max_length=255, upload_to='stimuli/')),
                ('gain_db', models.FloatField(blank=True, help_text="gain that matches the reference's loudness", null=True)),
                ('objective', models.JSONField(default=dict, help_text="scores by metric from an imported study, whose stimuli have no rendition")),
                ('delay_ms', models.FloatField(blank=True, help_text="delay relative to the reference, > 0 is late; null: not measurable", null=True)),
                ('item', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='stimuli', to='listening.item')),
                ('rendition', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='stimuli', to='evaluation.rendition')),
            ],
            options={
                'verbose_name_plural': 'stimuli',
                'ordering': ['item', 'system'],
            },
        ),
        migrations.CreateModel(
            name='Trial',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveSmallIntegerField()),
                ('order', models.JSONField()),
                ('reference_key', models.CharField(default=listening.models.opaque_token, max_length=43)),
                ('comment', models.TextField(blank=True)),
                ('started', models.DateTimeField(blank=True, null=True)),
                ('finished', models.DateTimeField(blank=True, null=True)),
                ('item', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='trials', to='listening.item')),
                ('session', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='trials', to='listening.session')),
            ],
            options={
                'ordering': ['session', 'position'],
            },
        ),
        migrations.CreateModel(
            name='Rating',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('score', models.FloatField(help_text='MUSHRA: whole, 0-100')),
                ('sequence', models.PositiveIntegerField()),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('updated', models.DateTimeField(auto_now=True)),
                ('stimulus', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='ratings', to='listening.stimulus')),
                ('trial', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='ratings', to='listening.trial')),
            ],
            options={
                'ordering': ['trial', 'stimulus'],
            },
        ),
        migrations.CreateModel(
            name='Event',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sequence', models.PositiveIntegerField(help_text="number of the event in its page; a repeated request is ignored")),
                ('kind', models.CharField(max_length=20)),
                ('milliseconds', models.PositiveIntegerField(help_text="time since the trial's page was opened")),
                ('detail', models.JSONField(default=dict)),
                ('trial', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='events', to='listening.trial')),
            ],
            options={
                'ordering': ['trial', 'sequence'],
            },
        ),
        migrations.CreateModel(
            name='Choice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sequence', models.PositiveIntegerField()),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('updated', models.DateTimeField(auto_now=True)),
                ('chosen', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='choices', to='listening.stimulus')),
                ('trial', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='choice', to='listening.trial')),
            ],
            options={
                'ordering': ['trial'],
            },
        ),
        migrations.AddConstraint(
            model_name='item',
            constraint=models.UniqueConstraint(fields=('study', 'position'), name='item_position_once'),
        ),
        migrations.AddConstraint(
            model_name='analysis',
            constraint=models.UniqueConstraint(fields=('study', 'kind', 'profile', 'fingerprint'), name='analysis_once_per_state'),
        ),
        migrations.AddConstraint(
            model_name='session',
            constraint=models.UniqueConstraint(fields=('study', 'number'), name='session_number_once'),
        ),
        migrations.AddConstraint(
            model_name='participation',
            constraint=models.UniqueConstraint(fields=('study', 'platform', 'person'), name='participation_once'),
        ),
        migrations.AddConstraint(
            model_name='answer',
            constraint=models.UniqueConstraint(fields=('session', 'question'), name='answer_once'),
        ),
        migrations.AddConstraint(
            model_name='stage',
            constraint=models.UniqueConstraint(fields=('session', 'name'), name='stage_once'),
        ),
        migrations.AddConstraint(
            model_name='stimulus',
            constraint=models.UniqueConstraint(fields=('item', 'system'), name='stimulus_once'),
        ),
        migrations.AddConstraint(
            model_name='trial',
            constraint=models.UniqueConstraint(fields=('session', 'position'), name='trial_position_once'),
        ),
        migrations.AddConstraint(
            model_name='rating',
            constraint=models.UniqueConstraint(fields=('trial', 'stimulus'), name='rating_once'),
        ),
        migrations.AddConstraint(
            model_name='rating',
            constraint=models.CheckConstraint(condition=models.Q(('score__gte', -3), ('score__lte', 100)), name='rating_in_range'),
        ),
        migrations.AddConstraint(
            model_name='event',
            constraint=models.UniqueConstraint(fields=('trial', 'sequence'), name='event_once'),
        ),
    ]
