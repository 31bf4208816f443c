"""Stimulus -> rating: listening tests, the people who take them and the grades they give.

Django looks for rows here; each stands in the file of its room.
"""

from listening.models.demos import Demo, DemoSound, DemoVersion, VoiceSound, VoiceTrial
from listening.models.files import MadeFile
from listening.models.imports import ImportDraft
from listening.models.people import AccountAct, ApiToken, Identity, Mail, Profile, SigninLink, Throttle
from listening.models.results import Analysis
from listening.models.session import Answer, Assessor, DeletedSession, Deletion, Participation, Session, Stage
from listening.models.sharing import SHARED_ROLES, Act, Invitation, Share
from listening.models.simulation import Simulation
from listening.models.study import Item, Preparation, Stimulus, Study, StudyJob, StudyVersion
from listening.models.tokens import assessor_code, opaque_token, random_token, token_digest
from listening.models.trial import Choice, Event, Rating, Trial

__all__ = [
    "SHARED_ROLES",
    "AccountAct",
    "Act",
    "Analysis",
    "Answer",
    "ApiToken",
    "Assessor",
    "Choice",
    "DeletedSession",
    "Deletion",
    "Demo",
    "DemoSound",
    "DemoVersion",
    "Event",
    "Identity",
    "ImportDraft",
    "Invitation",
    "Item",
    "MadeFile",
    "Mail",
    "Participation",
    "Preparation",
    "Profile",
    "Rating",
    "Session",
    "Share",
    "SigninLink",
    "Simulation",
    "Stage",
    "Stimulus",
    "Study",
    "StudyJob",
    "StudyVersion",
    "Throttle",
    "Trial",
    "VoiceSound",
    "VoiceTrial",
    "assessor_code",
    "opaque_token",
    "random_token",
    "token_digest",
]
