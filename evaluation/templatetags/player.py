"""The front page's player: a few systems of one clip, with a button for each."""

from __future__ import annotations

from django import template

from evaluation.contexts import Context
from evaluation.models import Clip
from evaluation.web.player_data import player_data, table_rows

register = template.Library()

#: Systems for first-time visitors: the paper's codec and codecs that telephones use today.
FRONT_SYSTEMS = ("original", "opus-6k", "opus-9k", "amrwb-6.6k", "amrnb-4.75k", "bpgan-2k")


@register.inclusion_tag("evaluation/_front_player.html")
def front_player(clip: Clip) -> Context:
    """Show `clip` with the finished renditions by `FRONT_SYSTEMS`."""
    rows = [row for row in table_rows(clip) if row["system"] in FRONT_SYSTEMS and row["listen_url"]]
    return {"rows": rows, "player": player_data(rows)}
