"""Finds where in a clip somebody speaks, and trims the silence around."""

import dataclasses

import numpy as np

from avemotion.data import clips as clips_lib
from avemotion.data.clips import ClipSet

# Of the range between a clip's quietest step and its loudest, in dB: speech is
# above it, also where there is noise under it. RAVDESS: 5 of 30 dB.
QUIET_SHARE = 0.15
MARGIN = 1  # step kept on either side: 43 ms


def spoken(mfcc: np.ndarray) -> slice:
  """The steps of a clip less its leading and trailing silence.

  Args:
    mfcc: float[steps, coefficients]; the first coefficient is the level.

  Returns:
    A slice of the steps: from the first loud one to the last, and one more on
    either side. Of a clip as loud throughout, all.
  """
  if not len(mfcc):
    return slice(0, 0)
  level = mfcc[:, 0]
  quietest = level.min()
  loud = np.flatnonzero(
    level >= quietest + QUIET_SHARE * (level.max() - quietest)
  )
  return slice(
    max(int(loud[0]) - MARGIN, 0), min(int(loud[-1]) + 1 + MARGIN, len(mfcc))
  )


def trim(clips: ClipSet) -> ClipSet:
  """Takes the silence before and after speech off every clip's MFCC.

  Args:
    clips: a data set; without sound it is returned as it is.

  Returns:
    The same clips, whose `audio` starts and ends with speech. The picture is
    left whole: faces speak when voices do not.
  """
  if 'audio' not in clips.features:
    return clips
  rows = [
    row[:length][spoken(row[:length])]
    for row, length in zip(
      clips.features['audio'], clips.lengths['audio'], strict=True
    )
  ]
  padded, lengths = clips_lib.pad(rows)
  return dataclasses.replace(
    clips,
    features={**clips.features, 'audio': padded},
    lengths={**clips.lengths, 'audio': lengths},
  )
