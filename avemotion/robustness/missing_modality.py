"""What a fusion model loses where a modality is missing from a clip."""

from collections.abc import Mapping

from avemotion.robustness.conditions import CLEAN, NO_PICTURE, NO_SOUND
from avemotion.robustness.table import ConditionScore

# The runs that are compared, by the names that they must be given.
FUSION, DROPOUT, AUDIO, VIDEO = 'fusion', 'dropout', 'audio', 'video'


def lost_points(
  scores: Mapping[str, Mapping[str, ConditionScore]],
) -> dict[str, float]:
  """Points of accuracy lost to the model that was made for what is there.

  Args:
    scores: by run and condition, of four runs alike but for their modalities:
      `dropout` was trained for clips that lack a modality, by modality dropout
      or a loss of each branch, `fusion` was not, `audio` and `video` have one
      branch alone.

  Returns:
    For 'audio' and 'video', points that `dropout` loses to that run by itself
    on clips without the other modality; for 'fusion', points that it loses to
    `fusion` on whole clips. Below zero: it is better.

  Raises:
    ValueError: a run or a condition is not there.
  """
  pairs = {
    AUDIO: (NO_PICTURE.name, AUDIO),
    VIDEO: (NO_SOUND.name, VIDEO),
    FUSION: (CLEAN, FUSION),
  }
  lost = {}
  for name, (condition, specialist) in pairs.items():
    try:
      own = scores[DROPOUT][condition].accuracy
      lost[name] = 100 * (scores[specialist][CLEAN].accuracy - own)
    except KeyError as error:
      raise ValueError(
        f'what a missing modality costs needs runs named {FUSION}, {DROPOUT},'
        f" {AUDIO} and {VIDEO}, and the conditions '{NO_SOUND.name}' and"
        f" '{NO_PICTURE.name}'; there is no {error.args[0]!r}"
      ) from error
  return lost
