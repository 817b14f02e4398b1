"""Takes the mean of an enrolled speaker's own clips off their features.

Clips of one speaker, of whatever they feel, have that speaker's voice and face
in common. No label is read, but several clips of a speaker must be at hand:
these numbers are not comparable with those of unseen speakers.
"""

import dataclasses
from collections.abc import Collection, Sequence

import numpy as np

from avemotion.data.clips import ClipSet

# So many clips take half of the difference off; chosen on validation actors.
_CLIPS_HALF = 2


def speaker_mean(rows: Sequence[np.ndarray]) -> np.ndarray:
  """Averages a speaker's clips, each of which weighs the same.

  Reads float32[steps, features] of each, some of which may have no steps, and
  returns float32[features].

  Raises:
    ValueError: no clip has any steps.
  """
  means = [row.mean(axis=0, dtype=np.float64) for row in rows if len(row)]
  if not means:
    raise ValueError('none of the clips to enrol by has any of what is read')
  return np.mean(means, axis=0).astype(np.float32)


def offset(rows: Sequence[np.ndarray], training_mean: np.ndarray) -> np.ndarray:
  """Returns what to take off a speaker's rows to move their mean.

  It moves towards the mean of a model's training clips, float32[features], for
  models that were not trained for enrolled speakers. `rows` are float32[steps,
  features] of each of the speaker's clips. The mean of few clips is uncertain:
  of n clips n / (n + 2) of the difference is taken off.
  """
  share = len(rows) / (len(rows) + _CLIPS_HALF)
  return np.float32(share) * (speaker_mean(rows) - training_mean)


def enrol(clips: ClipSet, modalities: Collection[str]) -> ClipSet:
  """Takes each actor's own mean off their clips, in the modalities there are.

  An actor without a modality stays without it.
  """
  features = dict(clips.features)
  for modality in set(modalities) & set(features):
    rows, lengths = clips.features[modality], clips.lengths[modality]
    valid = np.arange(rows.shape[1]) < lengths[:, None]
    changed = rows.copy()
    for actor in np.unique(clips.actors):
      own = np.flatnonzero((clips.actors == actor) & (lengths > 0))
      if own.size:
        changed[own] -= speaker_mean([rows[i, : lengths[i]] for i in own])
    features[modality] = np.where(valid[..., None], changed, 0)
  return dataclasses.replace(clips, features=features)
