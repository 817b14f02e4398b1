"""Subtraction of an enrolled speaker's mean from the features of their clips.

The mean over a speaker's clips, with any emotions, captures voice and face.
Enrolment needs no labels, but several clips of each speaker: its scores are not
comparable with those on unseen speakers.
"""

import dataclasses
from collections.abc import Collection, Sequence

import numpy as np

from avemotion.data.clips import ClipSet

# Number of clips that removes half of the offset; chosen on validation actors.
_CLIPS_HALF = 2


def speaker_mean(rows: Sequence[np.ndarray]) -> np.ndarray:
  """Averages a speaker's clips, each with the same weight.

  `rows` are float32[steps, features] of each clip, of which some may be empty.
  Returns float32[features].

  Raises:
    ValueError: all clips are empty.
  """
  means = [row.mean(axis=0, dtype=np.float64) for row in rows if len(row)]
  if not means:
    raise ValueError(
      'no enrolment clip contains a modality that this model uses'
    )
  return np.mean(means, axis=0).astype(np.float32)


def offset(rows: Sequence[np.ndarray], training_mean: np.ndarray) -> np.ndarray:
  """Computes the offset to subtract from a speaker's features.

  For models that were not trained for enrolled speakers. The offset is n /
  (n + 2) times the difference between the speaker's mean over n clips, `rows`
  of float32[steps, features], and the mean of the model's training clips,
  float32[features].
  """
  share = len(rows) / (len(rows) + _CLIPS_HALF)
  return np.float32(share) * (speaker_mean(rows) - training_mean)


def enrol(clips: ClipSet, modalities: Collection[str]) -> ClipSet:
  """Subtracts each actor's own mean from the actor's clips.

  Leaves out modalities that the data set or an actor lacks.
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
