"""Detection of speech in a clip, and removal of the silence around it."""

import dataclasses

import numpy as np

from avemotion.data import clips as clips_lib
from avemotion.data.clips import ClipSet

# Threshold of speech, as a share of the range in dB between a clip's quietest
# and loudest step, which adapts to noise. RAVDESS: 5 of 30 dB.
QUIET_SHARE = 0.15
MARGIN = 1  # steps kept on either side; one is 43 ms


def spoken(mfcc: np.ndarray) -> slice:
  """Finds the steps of a clip without its leading and trailing silence.

  `mfcc` is float[steps, coefficients], of which the first is the level. The
  slice has one more step on either side; of a clip with a constant level it
  has all steps.
  """
  if not len(mfcc):
    return slice(0, 0)
  level = mfcc[:, 0]
  quietest = level.min()
  threshold = quietest + QUIET_SHARE * (level.max() - quietest)
  first, last = np.flatnonzero(level >= threshold)[[0, -1]].tolist()
  return slice(max(first - MARGIN, 0), min(last + 1 + MARGIN, len(mfcc)))


def trim(clips: ClipSet) -> ClipSet:
  """Removes the silence before and after speech from every clip's MFCC.

  Leaves video unchanged, since faces are expressive in silence too, and returns
  a data set without sound as it is.
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
