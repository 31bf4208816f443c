from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("listening", "0020_languages_of_sessions"),
    ]

    operations = [
        migrations.AlterField(
            model_name="answer",
            name="question",
            field=models.CharField(
                help_text="name of the question in the study's questionnaire", max_length=200
            ),
        ),
    ]
