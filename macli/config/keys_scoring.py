"""The settings of points, stages and predictions, key by key."""

from macli.config import bands, decays, readers
from macli.config.setting import Setting

SCORING = (
    Setting(
        key="points.bands",
        kind="bands",
        read=bands.read,
        default="cold 0, warm 20, hot 50",
        doc=(
            "Readiness: names and the lowest score of each, the lowest first; the first is all below the second."
            " Of the global score."
        ),
        asked=True,
    ),
    Setting(
        key="points.decay",
        kind="decay",
        read=decays.read,
        default="none",
        doc=(
            "How points lose their worth where their rule does not say, and those given by hand:"
            " '50 % every 30 days'. For points from now on; macli points recompute dates those there are anew."
        ),
    ),
    Setting(
        key="points.floor",
        kind="points",
        read=readers.points,
        default=None,
        doc=(
            "A score is shown, and asked for in rules, as at least this; what was given and taken is kept as it is."
            " Scores may be below zero where unset."
        ),
        asked=True,
    ),
    Setting(
        key="predictions.max_age",
        kind="duration",
        read=readers.duration,
        default="30 days",
        doc="How long a prediction counts; an older one is no data, as if there were none.",
        asked=True,
    ),
    Setting(
        key="predictions.refit",
        kind="duration",
        read=readers.duration,
        default=None,
        doc="macli tick fits the predictions anew when they are so old; where unset, only macli prediction fit does.",
    ),
    Setting(
        key="stages.inclusive",
        kind="bool",
        read=readers.flag,
        default="false",
        doc="A score equal to a stage's threshold leads to the stage; where false, only a higher one does.",
    ),
    Setting(
        key="stages.demote",
        kind="bool",
        read=readers.flag,
        default="false",
        doc="A score that falls to a threshold or below it leads back to the stage before; where false, never.",
    ),
)
