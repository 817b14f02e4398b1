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
  """Finds the steps of a clip less its leading and trailing silence.

  From float[steps, coefficients], of which the first is the level, it returns a
  slice: from the first loud step to the last, and one more on either side. Of a
  clip as loud throughout, all.
  """
  if not len(mfcc):
    return slice(0, 0)
  level = mfcc[:, 0]
  quietest = level.min()
  threshold = quietest + QUIET_SHARE * (level.max() - quietest)
  first, last = np.flatnonzero(level >= threshold)[[0, -1]].tolist()
  return slice(max(first - MARGIN, 0), min(last + 1 + MARGIN, len(mfcc)))


def trim(clips: ClipSet) -> ClipSet:
  """Takes the silence before and after speech off every clip's MFCC.

  A data set without sound is returned as it is. The picture is left whole:
  faces speak when voices do not.
  """
  if 'audio' not in clips.features:
    return clips
  pairs = zip(clips.features['audio'], clips.lengths['audio'], strict=True)
  whole = [row[:length] for row, length in pairs]
  padded, lengths = clips_lib.pad([row[spoken(row)] for row in whole])
  return dataclasses.replace(
    clips,
    features={**clips.features, 'audio': padded},
    lengths={**clips.lengths, 'audio': lengths},
  )
