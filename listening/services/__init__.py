"""What researchers and listeners change. Reads are in `listening.selectors`.

Every function takes and returns rows, keeps its own transaction and raises `StudyError` with a
message for the person who asked.
"""

from listening.services.errors import (
    BadRating,
    GradesMissing,
    GradesUnfit,
    StudyClosed,
    StudyError,
    TrialFinished,
    TrialNotOpen,
    UnknownStimulus,
)
from listening.services.preparing import (
    claim_study,
    dispatch_study,
    fail_preparing,
    open_prepared_study,
    renew_study_lease,
    retry_preparing,
    sweep_studies,
)
from listening.services.ratings import (
    MAX_COMMENT,
    MAX_EVENTS_PER_REQUEST,
    MAX_EVENTS_PER_TRIAL,
    finish_trial,
    last_event,
    save_events,
    save_rating,
    stimulus_of_key,
)
from listening.services.sessions import (
    Step,
    begin,
    check_open,
    current_step,
    derive_seed,
    open_trial,
    start_session,
)
from listening.services.studies import (
    ALWAYS,
    LONG_ITEM_SECONDS,
    MAX_ITEMS,
    MAX_SIGNALS,
    MAX_TEXT,
    TEXTS,
    close_study,
    create_study,
    delete_study,
    reopen_study,
    set_listed,
    signals_of,
)
from listening.services.texts import (
    clean_text,
)

__all__ = [
    "ALWAYS",
    "LONG_ITEM_SECONDS",
    "MAX_COMMENT",
    "MAX_EVENTS_PER_REQUEST",
    "MAX_EVENTS_PER_TRIAL",
    "MAX_ITEMS",
    "MAX_SIGNALS",
    "MAX_TEXT",
    "TEXTS",
    "BadRating",
    "GradesMissing",
    "GradesUnfit",
    "Step",
    "StudyClosed",
    "StudyError",
    "TrialFinished",
    "TrialNotOpen",
    "UnknownStimulus",
    "begin",
    "check_open",
    "claim_study",
    "clean_text",
    "close_study",
    "create_study",
    "current_step",
    "delete_study",
    "derive_seed",
    "dispatch_study",
    "fail_preparing",
    "finish_trial",
    "last_event",
    "open_prepared_study",
    "open_trial",
    "renew_study_lease",
    "reopen_study",
    "retry_preparing",
    "save_events",
    "save_rating",
    "set_listed",
    "signals_of",
    "start_session",
    "stimulus_of_key",
    "sweep_studies",
]
