"""What the columns of a table of no particular tool mean, by their headings and the researcher's choice."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from django.utils.translation import gettext_lazy as _

from evaluation.refusals import Message, Text
from listening.interchange.imports.doubts import Option
from listening.interchange.imports.reading import ImportProblem, Reading, list_names, name_lines
from listening.interchange.imports.summaries import figure_of, strength
from listening.interchange.imports.table import (
    Row,
    Table,
    is_missing,
    is_number,
    is_unanswered,
    reduce,
    shorten,
)

#: The parts of a grade, and common headings of their columns, reduced to letters and digits; the first match
#: counts.
_NAMES = {
    "listener": (
        "assessor", "assessorid", "listener", "listenerid", "listenercode", "pid", "participantid",
        "participant", "participantcode", "subject", "subjectid", "subj", "subjid", "user", "userid",
        "username", "rater", "raterid", "judge", "worker", "workerid", "evaluator", "evaluatorid",
        "annotator", "annotatorid", "respondent", "respondentid", "responseid", "tester", "testerid",
        "prolificpid",
        "sessionuuid", "sessionid", "session", "uuid", "proband", "probandid", "probandnr", "probandin",
        "versuchsperson", "versuchspersonnr", "vp", "vpn", "vpnr", "vpid", "teilnehmer", "teilnehmerid",
        "teilnehmerin",
        "teilnehmernr", "hörer", "hoerer", "hörernr", "hörerid", "hörerin", "bewerter",
        "auditeur", "auditeurs", "auditrice", "idauditeur", "auditeurid", "sujet", "sujetid",
        "participante", "évaluateur", "juge",
        "評価者", "評価者id", "評価者番号", "被験者", "被験者id", "被験者番号", "参加者",
        "参加者id", "回答者", "聴取者", "リスナー",
        "oyente", "sujeto",
        "participanteid", "ascoltatore", "soggetto", "name", "nom", "氏名", "名前",
        "email", "mail",
    ),
    "system": (
        "system", "systemid", "systemname", "condition", "conditionid", "conditionname", "cond", "codec",
        "method", "model", "algorithm", "algo", "treatment", "variant", "processing", "encoder", "vocoder",
        "verfahren", "bedingung", "systeme", "variante", "kodierer", "methode", "algorithmus", "codeur",
        "système",
        "méthode", "algorithme", "traitement", "システム", "方式", "条件",
        "手法", "コーデック", "モデル", "処理",
        "sistema", "condición", "códec", "stimulus", "ratingstimulus",
    ),
    "item": (
        "item", "itemid", "itemname", "signal", "signalid", "sample", "sampleid", "excerpt", "sequence",
        "sentence",
        "sentenceid", "utterance", "utteranceid", "utt", "uttid", "clip", "clipid", "track", "trackid",
        "song", "piece", "scene", "content", "recording", "audioid", "stim", "stimulus", "stimulusid",
        "stück", "stueck", "musikstück", "satz", "satznr", "aufnahme", "hörbeispiel", "beispiel",
        "szene", "reiz", "testsignal",
        "extrait", "séquence", "échantillon", "morceau", "phrase", "enregistrement",
        "音源", "音声", "楽曲", "曲", "文", "項目", "刺激", "刺激音", "サンプル",
        "muestra", "canción", "frase", "brano",
        "trialid", "trial", "page", "pageid", "question", "file", "filename", "datei", "dateiname",
        "fichier", "ファイル",
        "ファイル名", "audio",
    ),
    "score": (
        "score", "rating", "ratingscore", "grade", "mushra", "mushrascore", "value", "mos", "opinion",
        "opinionscore", "points", "vote", "quality", "qualityscore", "cmos", "dmos", "acr", "dcr", "ccr",
        "response",
        "answer", "result",
        "bewertung", "note", "wert", "urteil", "punkte", "punktzahl", "qualität", "gesamtqualität",
        "skalenwert", "antwort",
        "évaluation", "valeur", "qualité", "jugement", "réponse", "noteattribuée",
        "評価", "評価値", "評点", "点数", "スコア", "得点", "評定", "評定値", "品質", "puntuación",
        "valor", "nota", "punteggio", "voto",
    ),
}  # fmt: skip
#: The choices of columns, in the order in which they are asked for.
PARTS = ("listener", "item", "system", "score")

#: Headings of a listener's data, of an order and of settings, reduced: numbers below them are no grades.
_BESIDE = re.compile(
    r"id|no|nr|num|number|index|idx|row|unnamed\d*|trial|trialnr|order|position|pos|(listener|participant|subject|your)?age(years|inyears|group)?|alter|âge|gender|"
    r"sex|geschlecht|sexe|date|datum|day|month|year|yearofbirth|jahr|année|birthyear|geburtsjahr|time|zeit|"
    r"timestamp|duration|ms|seconds?|plays?|count|repetitions?|rep|block|group|gruppe|lab|site|session|run|training|kind|"
    r"pilot|version|seed|comment|年齢|性別|日時|experience|yearsofexperience|expertise|hearingloss|"
    r".*(time|timestamp|duration|seconds|date|hash|uuid|plays)(ms|s)?"
)
#: Headings of figures of the other columns, reduced.
_FIGURE = re.compile(
    r"(mean|means|average|avg|median|sum|total|sd|std|stdev|stddev|ci|ci95|mittelwert|summe|moyenne|平均)"
    r"(score|scores|rating|ratings|grade|grades|mos|value|quality|overall|all|total)?|"
    r"(overall|total|final|mos|score|rating)(mean|average|avg|median|sum|sd|std|score)"
)
#: Headings of an order, a count or a time, reduced.
_COUNTED = re.compile(
    r"(trial|presentation|page|item|play|row|test)?(id|no|nr|num|number|index|idx|order|position|pos|count)|"
    r"row|unnamed\d*|trial|reihenfolge|abspielfolge|ordre|順序|提示順|date|datum|day|month|time|zeit|"
    r"timestamp|duration|ms|seconds?|plays?|count|repetitions?|rep|block|run|日時|"
    r".*(time|timestamp|duration|seconds|date|hash|uuid|plays)(ms|s)?"
)
#: Those that nothing but a figure is called.
_CERTAIN_FIGURE = re.compile(
    r"(mean|average|avg|median|sum|total)(score|scores|rating|ratings|grade|grades|mos|value|quality|overall|all|total)|"
    r"(overall|total|final|mos|score|rating)(mean|average|avg|median|sum|sd|std|score)|stdev|stddev|ci95"
)

#: Headings of a listener's data, reduced.
_OF_PEOPLE = re.compile(
    r"(listener|participant|subject|your)?age(years|inyears|group)?|alter|âge|gender|sex|geschlecht|sexe|year|yearofbirth|birthyear|geburtsjahr|jahr|年齢|性別|"
    r"experience|yearsofexperience|expertise|hearingloss|group|gruppe|session|id|no|nr|number|index|row"
)

#: What some headings say of a test that has no method here: a pattern of one reduced heading, and its name.
_ELSEWHERE: tuple[tuple[str, Text], ...] = (
    (r"rank|ranking|rankorder", _("ranking")),
    (r"position\d|positionx|azimuth|elevation", _("localisation")),
    (r"preferred|preference|winner|chosen|choice|selected|better", _("paired comparison in a plain table")),
    (r"odd|oddoneout|triangle", _("odd one out")),
    (
        r"transcript|transcription|(key)?wordscorrect|intelligibility|worderrorrate",
        _("intelligibility"),
    ),
    (r"correct|iscorrect", _("right and wrong answers in a plain table")),
)
_INSTEAD: Text = _(
    "Import grades of one attribute, or choices as the columns of webMUSHRA's paired_comparison.csv."
)
#: Headings of a column that says which attribute a row's grade is of, reduced.
_ATTRIBUTE = frozenset({
    "attribute", "attributeid", "attributename", "qualityattribute", "dimension", "criterion", "criteria",
    "aspect", "descriptor", "attribut", "merkmal", "kriterium", "critère", "attributo", "atributo", "属性",
    "評価項目",
})  # fmt: skip
#: Sets of attributes that a recommendation grades together.
_SETS: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"speech", "background", "overall"}), "ITU-T P.835"),
    (frozenset({"sig", "bak", "ovrl"}), "ITU-T P.835"),
    (frozenset({"sig", "bak", "ovr"}), "ITU-T P.835"),
    (frozenset({"noisiness", "coloration", "discontinuity", "loudness"}), "ITU-T P.806 / P.804"),
    (frozenset({"noi", "col", "dis", "loud"}), "ITU-T P.806 / P.804"),
)


def find_columns(table: Table, choices: Mapping[str, str] | None = None) -> dict[str, str]:
    """The heading of each part of a grade; parts that no column has are left out.

    Args:
        table: the headings; the cells decide which of several columns holds grades.
        choices: headings that the researcher chose, by part.

    Raises:
        ImportProblem: a chosen heading is not there.
    """
    found: dict[str, str] = {}
    headings = table.headings
    for part in PARTS:
        if chosen := (choices or {}).get(part, ""):
            if chosen not in headings:
                raise ImportProblem.of_field(
                    part,
                    _("There is no column %(chosen)r. Known: %(headings)s."),
                    chosen=shorten(chosen),
                    headings=list_names(headings),
                )
            found[part] = chosen
    reduced = {reduce(heading): heading for heading in reversed(headings) if heading and reduce(heading)}
    for part, names in _NAMES.items():
        if part not in found:
            free = [reduced[name] for name in names if name in reduced]
            free = [heading for heading in free if heading not in found.values()]
            if part == "score":
                # “note” is a grade in German and French, and a remark in English.
                free = [name for name in free if holds_numbers(table.rows, name)] or [
                    name for name in free if reduce(name) not in ("note", "answer", "response", "result")
                ]
            if free:
                found[part] = free[0]
    return {part: found[part] for part in PARTS if part in found}


def numeric_columns(table: Table, others: Sequence[str]) -> list[str]:
    """Headings of columns of which half of what they hold are numbers; missing answers are not counted."""
    return [
        heading
        for heading in table.headings
        if heading and heading not in others and holds_numbers(table.rows, heading)
    ]


def holds_numbers(rows: Sequence[Row], heading: str) -> bool:
    """Whether at least half of what a column holds are numbers; the other cells are refused later."""
    texts = [text for row in rows if not is_unanswered(text := row.get(heading))]
    numbers = sum(text.casefold() in rows[0].words or is_number(text) for text in texts)
    return numbers > 0 and 2 * numbers >= len(texts)


def is_beside(heading: str) -> bool:
    """Whether a heading is of numbers that are no grades: a listener's data, an order, a figure of others."""
    return any(kind.fullmatch(reduce(heading)) for kind in (_BESIDE, _COUNTED, _FIGURE))


def choose_columns(
    table: Table, columns: Mapping[str, str], what: str, answers: Mapping[str, str], reading: Reading
) -> list[str]:
    """The columns of a wide table that hold grades. The researcher may leave each of them out.

    Args:
        table: with at least a row.
        columns: the headings of the parts of a grade that have a column.
        what: what each of the columns is: a system or a listener.
        answers: the researcher's, by key of the doubt.
        reading: takes the doubts and notes.
    """
    others = {*columns.values(), "comment"}
    empty = [
        heading
        for heading in table.headings
        if heading and heading not in others and all(_is_empty(row.get(heading)) for row in table.rows)
    ]
    grades_or_nothing = {*numeric_columns(table, list(others)), *empty}
    found = [name for name in table.headings if name in grades_or_nothing]
    values = {heading: [_value(row, heading) for row in table.rows] for heading in found}
    plain = [heading for heading in found if not is_beside(heading) and heading not in empty]
    certain = [heading for heading in plain if not _why_not(table, columns, heading, values, plain)]
    kept: list[str] = []
    left: dict[str, list[str]] = {}
    for heading in found:
        why = _why_not(table, columns, heading, values, certain or plain)
        if heading in empty and not why:
            said = any(row.get(heading) for row in table.rows)  # NA, and not nothing at all
            why = "" if said and not is_beside(heading) else "it holds nothing"
        answer = reading.ask(
            answers,
            f"column:{heading}",
            table.line,
            f"{heading}: {list_names(_examples(table, heading), 5) or 'nothing'}."
            + (f" Suggested is to leave it out: {why}." if why else ""),
            [
                Option(what, f"A {what}", f"Its numbers are the grades of a {what}."),
                Option("out", "Left out", "Its numbers are not used."),
            ],
            "out" if why else what,
            kind="column",
        )
        if answer == what:
            kept.append(heading)
        else:
            left.setdefault(why or "as you decided", []).append(heading)
    for why, headings in left.items():
        one = len(headings) == 1
        reading.notes.append(
            f"The column{'' if one else 's'} {list_names(headings, 60)} "
            f"{'is' if one else 'are'} left out: {why}."
        )
    return kept


def _is_empty(cell: str) -> bool:
    """Whether a cell holds nothing, wherever it stands; an x may say something in a column of its own."""
    return is_missing(cell) or (len(cell) > 2 and is_unanswered(cell))


def _value(row: Row, heading: str) -> float | None:
    text = row.get(heading)
    return row.number(heading) if text.casefold() in row.words or is_number(text) else None


def _examples(table: Table, heading: str) -> list[str]:
    return list(dict.fromkeys(text for row in table.rows if (text := row.get(heading))))


def _why_not(
    table: Table,
    columns: Mapping[str, str],
    heading: str,
    values: Mapping[str, Sequence[float | None]],
    grades: Sequence[str],
) -> str:
    """Why the numbers of a column are no grades; empty if nothing says so."""
    plain = reduce(heading)
    own = [value for value in values[heading] if value is not None]
    if 2 * sum(not -3 <= value <= 100 for value in own) > len(own):
        return "its numbers are on no scale of grades"
    others = [name for name in grades if name != heading]
    called = bool(_FIGURE.fullmatch(plain) or strength(heading))
    said = {place: value for place, value in enumerate(values[heading]) if value is not None}
    beside = [
        [value for name in others if (value := values[name][place]) is not None]
        for place in range(len(table.rows))
    ]
    if figure := figure_of(said, beside.__getitem__, telling=not called):
        return f"its numbers are the {figure} of the other columns"
    if called:
        certain = _CERTAIN_FIGURE.fullmatch(plain) or not _varies(table, columns, heading, values, others)
        return "it is called like a figure of the others" if certain else ""
    for part, what in (("listener", "a listener"), ("item", "an item")):
        fixed = part in columns and _is_fixed(table, columns[part], values[heading])
        if fixed and not all(_is_fixed(table, columns[part], values[name]) for name in others):
            return f"it is the same in all rows of {what}"
    if _COUNTED.fullmatch(plain):
        return "it is called like a number, a count or a time"
    if _BESIDE.fullmatch(plain) and not _varies(table, columns, heading, values, others):
        return "it is called like data of the listener or of the test"
    return ""


def _is_fixed(table: Table, part: str, values: Sequence[float | None]) -> bool:
    """Whether a column says the same in all rows of each name of `part`, of which several have some."""
    return _same_within([row.get(part) for row in table.rows], values)


def _same_within(names: Sequence[str], values: Sequence[float | None]) -> bool:
    found: dict[str, list[float]] = {}
    for name, value in zip(names, values, strict=True):
        if value is not None:
            found.setdefault(name, []).append(value)
    several = [each for each in found.values() if len(each) > 1]
    return len(several) > 1 and all(len(set(each)) == 1 for each in several)


def _varies(
    table: Table,
    columns: Mapping[str, str],
    heading: str,
    values: Mapping[str, Sequence[float | None]],
    others: Sequence[str],
) -> bool:
    """Whether a column's numbers change as grades do, on the scale of the other columns."""
    own = [value for value in values[heading] if value is not None]
    beside = [value for name in others for value in values[name] if value is not None]
    top = max(beside, default=0)
    scale = (1, 5) if min(beside, default=0) >= 1 and top <= 5 else (-3, 10) if top <= 10 else (0, 100)
    if not own or not beside or not all(scale[0] <= value <= scale[1] for value in own):
        return False
    names = [row.get(columns.get("listener", "")) for row in table.rows]
    if len(set(names)) == len(names):  # a row a listener: nothing can change
        return not _OF_PEOPLE.fullmatch(reduce(heading))
    return len(set(own)) > 1 and not _same_within(names, values[heading])


def is_name_of_part(heading: str) -> bool:
    """Whether a heading is one of a listener's, an item's or a system's."""
    return any(reduce(heading) in _NAMES[part] for part in ("listener", "item", "system"))


def names_another_test(heading: str) -> bool:
    """Whether a heading is of a test that has no method here: ``rank``, ``azimuth_deg``, ``rank A``."""
    return bool(_test_of(heading))


def _test_of(heading: str) -> Text:
    """The name of the test without a method here that a heading, or its first or last word, is of."""
    words = [word for word in re.split(r"[\W_]+", heading) if word]
    said = [reduce(part) for part in (heading, *words[:1], *words[-1:])]
    return next((name for part in said for pattern, name in _ELSEWHERE if re.fullmatch(pattern, part)), "")


def attributes_beside(table: Table, columns: Mapping[str, str]) -> list[str]:
    """Headings of columns of numbers that are graded as well: they differ within what was heard.

    What is the same for all rows of a listener, or of an item and system, is data of these.
    """
    found = [
        heading
        for heading in numeric_columns(table, [*columns.values(), "comment"])
        if not is_beside(heading) and not is_name_of_part(heading)
    ]
    kept = []
    for heading in found:
        values = [_value(row, heading) for row in table.rows]
        own = [value for value in values if value is not None]
        stimulus = [
            " ".join(row.get(columns[part]) for part in ("item", "system") if part in columns)
            for row in table.rows
        ]
        fixed = _is_fixed(table, columns["listener"], values) or (
            _same_within(stimulus, values)
            # A few listeners may agree on whole numbers.
            and (len(own) - len(set(stimulus)) >= 10 or not all(value.is_integer() for value in own))
        )
        if all(-3 <= value <= 100 for value in own) and not fixed:
            kept.append(heading)
    return kept


def attribute_of(
    table: Table, attributes: Sequence[str], choices: Mapping[str, str], reading: Reading, default: str = ""
) -> str:
    """The chosen one of several graded attributes, which are offered as a choice.

    Raises:
        ImportProblem: none is chosen, and there is no default: a study here has one attribute.
    """
    chosen = choices.get("attribute", "") or default
    if chosen in attributes:
        reading.options["attribute"] = [chosen, *(name for name in attributes if name != chosen)]
        reading.notes.append(
            f"Of {len(attributes)} attributes this takes {chosen}; not taken: "
            f"{list_names(name for name in attributes if name != chosen)}. Import the file again for another."
        )
        return chosen
    names = {reduce(name) for name in attributes}
    known = next((name for those, name in _SETS if those <= names), "")
    raise _several_attributes(table, attributes, known)


def cut_attributes(
    table: Table, columns: Mapping[str, str], choices: Mapping[str, str], reading: Reading
) -> dict[str, str]:
    """Keep the rows of the chosen attribute, where a column says which one a row's grade is of.

    Returns:
        The choices that are still to be read.

    Raises:
        ImportProblem: there are several, and none is chosen.
    """
    for heading in table.headings:
        if heading in columns.values() or reduce(heading) not in _ATTRIBUTE:
            continue
        attributes = [name for name in table.list_values(heading) if not is_missing(name)]
        if len(attributes) < 2:
            continue
        chosen = choices.get("attribute", "")
        if chosen not in attributes:
            raise _several_attributes(table, attributes, "", heading)
        left = [row.line for row in table.rows if row.get(heading) != chosen]
        table.rows = [row for row in table.rows if row.get(heading) == chosen]
        reading.options["attribute"] = [chosen, *(name for name in attributes if name != chosen)]
        reading.notes.append(
            f"By the column {heading} there are {len(attributes)} attributes; this takes {chosen}. Rows of "
            f"others are left out: {name_lines(left)}. Import the file again for another."
        )
        return {key: value for key, value in choices.items() if key != "attribute"}
    return dict(choices)


def _several_attributes(
    table: Table, attributes: Sequence[str], known: str, heading: str = ""
) -> ImportProblem:
    """The refusal of a table with grades of several attributes, of which none is chosen.

    They are headings, or names in the column `heading`.
    """
    message = _(
        "Several attributes are graded: %(attributes)s%(known)s. No method here grades more than one. "
        "Choose one of them as attribute and import the file once for each."
    )
    values = {"attributes": list_names(attributes), "known": f" ({known})" if known else ""}
    fields: dict[str, Text] = {"attribute": Message(message, **values)}
    heading = heading or attributes[0]
    refusal = ImportProblem(message, table.line, table.headings.index(heading) + 1, heading, fields, **values)
    refusal.options = {"attribute": list(attributes)}
    return refusal


def refuse_unknown_table(table: Table) -> ImportProblem:
    """The refusal of a table in which no grades were found, by the name of its test if it has one."""
    found = find_columns(table)
    for place, heading in enumerate(table.headings, 1):
        if name := _test_of(heading):
            elsewhere = ImportProblem(
                _("This is a test for which there is no method here: %(name)s. %(instead)s"),
                table.line,
                place,
                heading,
                name=name,
                instead=_INSTEAD,
            )
            elsewhere.options = column_options(table, found)
            return elsewhere
    message = _("No column is known to hold the %(part)s. Say which one does.")
    refusal = ImportProblem(
        _(
            "No format that can be read has this header: %(headings)s. A plain table needs "
            "columns for listener, item, system and score."
        ),
        table.line,
        1,
        headings=list_names(shorten(name) or "(empty)" for name in table.headings),
    )
    refusal.fields |= {part: Message(message, part=part) for part in PARTS if part not in found}
    refusal.options = column_options(table, found)
    return refusal


def column_options(table: Table, found: Mapping[str, str]) -> dict[str, list[str]]:
    """For each part of a grade the headings that may be chosen, the one taken first; "" for none."""
    return {
        part: [found.get(part, ""), *(name for name in table.headings if name and name != found.get(part))]
        for part in PARTS
    }
