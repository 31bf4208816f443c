import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """All tables in one step, for new databases; older ones go on by the migrations that it replaces."""

    replaces = [
        ('evaluation', '0001_initial'),
        ('evaluation', '0002_studies_in_full'),
        ('evaluation', '0003_outputs'),
        ('evaluation', '0004_output_checks'),
    ]

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Clip',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('sha256', models.CharField(help_text='of the uploaded bytes', max_length=64)),
                ('title', models.CharField(max_length=200)),
                ('original_name', models.CharField(max_length=255)),
                ('upload', models.FileField(max_length=255, upload_to='uploads/')),
                ('audio', models.FileField(max_length=255, upload_to='clips/')),
                ('seconds', models.FloatField()),
                ('source_rate', models.PositiveIntegerField(help_text='Hz, of the upload')),
                ('source_channels', models.PositiveSmallIntegerField()),
                ('source_format', models.CharField(max_length=80)),
                ('notes', models.JSONField(default=list, help_text='what ingestion did and found: downmix, resampling, ...')),
                ('credit', models.TextField(blank=True, help_text='source and licence, shown on the page')),
                ('public', models.BooleanField(default=False, help_text='a demo clip that strangers may hear')),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='clips', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-created', 'id'],
            },
        ),
        migrations.CreateModel(
            name='OutputBatch',
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
                ('step', models.CharField(choices=[('check', 'Check'), ('store', 'Store')], default='check', max_length=5)),
                ('notes', models.JSONField(default=list, help_text='what was left out before any file was looked into')),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='output_batches', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name_plural': 'output batches',
                'ordering': ['-created', 'id'],
            },
        ),
        migrations.CreateModel(
            name='Rendition',
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
                ('system', models.CharField(help_text='slug in codec.registry or of an UploadedSystem', max_length=64)),
                ('upload', models.FileField(blank=True, help_text="an uploaded system's output, untouched", max_length=255, upload_to='outputs/')),
                ('audio', models.FileField(blank=True, max_length=255, upload_to='renditions/')),
                ('bitstream', models.FileField(blank=True, max_length=255, upload_to='bitstreams/')),
                ('payload_bits', models.PositiveBigIntegerField(blank=True, null=True)),
                ('kbps', models.FloatField(blank=True, help_text='measured, kbit/s', null=True)),
                ('encode_seconds', models.FloatField(blank=True, null=True)),
                ('decode_seconds', models.FloatField(blank=True, null=True)),
                ('parameters', models.JSONField(default=dict, help_text='exact settings and versions')),
                ('unavailable', models.BooleanField(default=False, help_text='failed because the system does not work here')),
                ('clip', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='renditions', to='evaluation.clip')),
            ],
            options={
                'ordering': ['clip', 'system'],
            },
        ),
        migrations.CreateModel(
            name='Score',
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
                ('metric', models.CharField(help_text='pesq_nb, pesq_wb or stoi', max_length=32)),
                ('value', models.FloatField(blank=True, help_text='null, with a note, where there is no answer', null=True)),
                ('version', models.CharField(blank=True, max_length=64)),
                ('note', models.TextField(blank=True)),
                ('rendition', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='scores', to='evaluation.rendition')),
            ],
            options={
                'ordering': ['rendition', 'metric'],
            },
        ),
        migrations.CreateModel(
            name='UploadedSystem',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.CharField(help_text='never one of codec.registry', max_length=64, unique=True)),
                ('title', models.CharField(max_length=100)),
                ('note', models.TextField(blank=True, help_text='version, settings, command: what a report has to say')),
                ('kbps', models.FloatField(blank=True, help_text='as its researcher states it, kbit/s', null=True)),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='uploaded_systems', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['owner', 'created', 'id'],
            },
        ),
        migrations.CreateModel(
            name='OutputFile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='as it was sent, with its folders', max_length=500)),
                ('upload', models.FileField(blank=True, max_length=255, upload_to='incoming/')),
                ('reason', models.CharField(blank=True, help_text='how clip and system were found', max_length=200)),
                ('checks', models.JSONField(default=dict, help_text='`evaluation.outputs.comparison.Comparison`, as a dictionary')),
                ('problem', models.TextField(blank=True, help_text='why it cannot be taken; empty: it can')),
                ('taken', models.BooleanField(default=False, help_text='the researcher confirmed it')),
                ('shift', models.BooleanField(default=False, help_text='and that its delay is taken out')),
                ('batch', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='files', to='evaluation.outputbatch')),
                ('clip', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='evaluation.clip')),
                ('system', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='evaluation.uploadedsystem')),
            ],
            options={
                'ordering': ['batch', 'name', 'id'],
            },
        ),
        migrations.AddField(
            model_name='outputbatch',
            name='system',
            field=models.ForeignKey(help_text='of files that name none', on_delete=django.db.models.deletion.CASCADE, related_name='batches', to='evaluation.uploadedsystem'),
        ),
        migrations.AddConstraint(
            model_name='clip',
            constraint=models.UniqueConstraint(fields=('owner', 'sha256'), name='clip_once_per_owner'),
        ),
        migrations.AddConstraint(
            model_name='rendition',
            constraint=models.UniqueConstraint(fields=('clip', 'system'), name='rendition_once_per_clip_and_system'),
        ),
        migrations.AddConstraint(
            model_name='score',
            constraint=models.UniqueConstraint(fields=('rendition', 'metric'), name='score_once_per_metric'),
        ),
        migrations.AddConstraint(
            model_name='uploadedsystem',
            constraint=models.UniqueConstraint(fields=('owner', 'title'), name='uploaded_system_title_once'),
        ),
    ]
