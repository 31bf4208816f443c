"""The last step before a study is opened: a summary of its design, and the checklist of the standard."""

from __future__ import annotations

from collections import Counter

from evaluation.contexts import Context
from evaluation.systems import titles_of
from listening.methods import METHODS
from listening.models import Session, Study
from listening.study import compliance
from listening.study import design as designs
from listening.study.balance import meetings
from listening.study.compliance.states import MET, NOT_MET
from listening.study.stimuli import warnings_of

#: Maximum number of blocks that are listed individually.
MOST_BLOCKS = 60


def context_of(study: Study) -> Context:
    plan = designs.plan_of(study)
    items = list(study.items.select_related("clip").order_by("position"))
    graded = [item for item in items if not item.training]
    titles = titles_of([*METHODS[study.method].always, *study.systems])
    titles["original"] = "hidden reference"
    rules = compliance.checklist(study)
    return {
        "plan_trials": _trials(study, plan, len(items) - len(graded)),
        "balance": _balance(study, plan),
        "blocks": _blocks(study, plan, [item.title for item in graded], titles) if plan.blocks > 1 else [],
        "always": [titles[slug] for slug in METHODS[study.method].always],
        "warnings": warnings_of(study),
        "rules": rules,
        "rules_left": [rule for rule in rules if rule.state != MET],
        "rules_met": [rule for rule in rules if rule.state == MET],
        "rules_summary": compliance.summary(rules),
        "unmet": compliance.count_states(rules)[NOT_MET],
    }


def _trials(study: Study, plan: designs.Plan, training: int) -> dict[str, int]:
    """The number of trials per listener in the training, with `training` items, and in the test."""
    method = METHODS[study.method]
    if method.side_by_side:
        return {"training": training * designs.training_trials(plan), "test": len(plan.items[0])}
    options = study.method_options
    return {
        "training": training * method.trials_per_item(method.train_options(options), study.systems),
        "test": len(plan.items[0]) * method.trials_per_item(options, study.systems),
    }


def _balance(study: Study, plan: designs.Plan) -> str:
    """A sentence on what the design balances."""
    if not METHODS[study.method].side_by_side:
        return "orders follow from the seed; what comes first alternates over sessions as the method asks"
    text = "each item and each signal comes at each place equally often (Williams' Latin squares)"
    if plan.blocks == 1:
        return text
    parts = [f"every {plan.blocks} listeners give everything to somebody"]
    if len(plan.systems) > 1:
        fewest, most = meetings(len(study.systems), plan.systems)
        times = f"{fewest}" if fewest == most else f"{fewest} to {most}"
        parts.append(f"any two systems are side by side in {times} of {len(plan.systems)} system blocks")
    return f"{'; '.join(parts)}; {text}"


def _blocks(study: Study, plan: designs.Plan, items: list[str], titles: dict[str, str]) -> list[Context]:
    real = study.sessions.filter(kind=Session.Kind.REAL)
    finished = Counter(real.filter(finished__isnull=False).values_list("block", flat=True))
    live = Counter(designs.live_sessions(study).filter(finished=None).values_list("block", flat=True))
    return [
        {
            "number": block + 1,
            "trials": [
                {
                    "item": items[item],
                    "systems": [titles[study.systems[at]] for at in plan.systems_of(block, item)]
                    if len(plan.systems) > 1
                    else [],
                }
                for item in plan.items_of(block)
            ],
            "finished": finished[block],
            "live": live[block],
        }
        for block in range(min(plan.blocks, MOST_BLOCKS))
    ]
