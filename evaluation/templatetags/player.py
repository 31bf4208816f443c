"""The front page's player: a few systems of one clip, with a button for each."""

from __future__ import annotations

from django import template

from evaluation.contexts import Context
from evaluation.models import Clip
from evaluation.systems import SHOWCASE
from evaluation.web.player_data import player_data, table_rows

register = template.Library()


@register.inclusion_tag("evaluation/_front_player.html")
def front_player(clip: Clip) -> Context:
    """Show `clip` with the finished renditions by `SHOWCASE`."""
    rows = [row for row in table_rows(clip) if row["system"] in SHOWCASE and row["listen_url"]]
    return {"clip": clip, "rows": rows, "player": player_data(rows)}
