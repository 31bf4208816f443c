"""The ready-made questions that the questionnaire's builder offers, and their words in listeners' languages.

A study stores them in English, like those that its researcher wrote. Whatever still has the ready-made words
is shown in the language of the listener's page; the values of the answers are the same in all languages.
"""

from __future__ import annotations

from django.utils.translation import gettext, gettext_noop

from listening.columns.questions import Option, Question

#: Answers to choose from that a new Likert scale begins with.
LIKERT = [
    Option(value="1", label=gettext_noop("Not at all")),
    Option(value="2", label=gettext_noop("A little")),
    Option(value="3", label=gettext_noop("Rather")),
    Option(value="4", label=gettext_noop("Very")),
]

#: Questions that many studies ask, by what their buttons are called; a start, to be changed.
READY = {
    "Age": Question(
        name="age",
        label=gettext_noop("How old are you?"),
        type="number",
        minimum=16,
        maximum=110,
        required=True,
    ),
    "Hearing": Question(
        name="hearing",
        label=gettext_noop("Do you know of any loss of your hearing?"),
        type="single",
        choices=[
            Option(value="no", label=gettext_noop("No")),
            Option(value="yes", label=gettext_noop("Yes")),
            Option(value="unknown", label=gettext_noop("I do not know")),
        ],
        required=True,
    ),
    "Experience": Question(
        name="experience",
        label=gettext_noop("How much experience do you have with listening tests?"),
        type="likert",
        choices=[
            Option(value="1", label=gettext_noop("None")),
            Option(value="2", label=gettext_noop("A little")),
            Option(value="3", label=gettext_noop("Some")),
            Option(value="4", label=gettext_noop("Much")),
            Option(value="5", label=gettext_noop("It is my profession")),
        ],
        required=True,
    ),
    "Remarks": Question(
        name="remarks",
        label=gettext_noop("Is there anything you would like to tell us?"),
        type="long_text",
        when="after",
    ),
}


def translate_ready(question: Question) -> Question:
    """The question with its ready-made words in the active language.

    A text, its help and its answers belong together: if the researcher changed any, all stay as written.
    The scale alone is ready-made under any text.
    """
    words = (question.label, question.help, question.choices)
    ready = any(words == (each.label, each.help, each.choices) for each in READY.values())
    if not ready and question.choices != LIKERT:
        return question
    choices = [Option(value=option.value, label=gettext(option.label)) for option in question.choices]
    label = gettext(question.label) if ready else question.label
    return question.model_copy(update={"label": label, "choices": choices})
