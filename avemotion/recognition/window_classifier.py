"""Applies a trained model to windows of a clip."""

import dataclasses
import functools
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from avemotion.data import clips as clips_lib
from avemotion.data import enrolment, silence
from avemotion.models import EmotionClassifier
from avemotion.recognition.windows import Track, Tracks
from avemotion.training.checkpoints import TrainedModel

# Sequences, points and windows are padded to multiples of these, so that clips
# of like lengths share a compiled program.
_STEP_MULTIPLE = 32
_POINT_MULTIPLE = 32
_WINDOWS = 16
# Whole windows have the steps of six seconds.
_WINDOW_STEPS = {'video': 64, 'audio': 160}

# Probabilities float32[…, labels]: under `JOINT` by all that the model reads,
# and under a modality's name, of a model of two, by that one alone; nan where
# nobody was heard or seen.
Answers = dict[str, np.ndarray]
JOINT = 'joint'


class WindowClassifier:
  """A trained model, and the means of the speaker who is enrolled."""

  def __init__(self, model: TrainedModel) -> None:
    self.model = model
    self.modalities = model.config.model.modalities
    self._speaker_means: dict[str, np.ndarray] = {}

  @property
  def lacks_speaker(self) -> bool:
    """True if the model expects an enrolled speaker, and there is none."""
    return bool(self.model.config.data.enrol) and not self._speaker_means

  def enrol(self, clips: Iterable[Tracks]) -> None:
    """Learns the speaker's means, see `Recognizer.enrol`."""
    enrolled = self.model.config.data.enrol
    if not enrolled:
      raise ValueError(
        'the model was trained without enrolled speakers; one for them is'
        ' trained with --config.data.enrol=video,audio'
      )
    # Not less the mean of a speaker who was enrolled before.
    read = [*map(WindowClassifier(self.model).read, clips)]
    self._speaker_means = {
      name: enrolment.speaker_mean([tracks[name].rows for tracks in read])
      for name in set(enrolled) & set(self.modalities)
    }

  def over_time(self, window: Tracks, points: np.ndarray) -> Answers:
    """Answers from a window's start to each of several points of time.

    Points are float[points], seconds, the last of them the window's end.
    Returns probabilities float32[points, labels], see `Answers`.
    """
    inputs, lengths = {}, {}
    for modality, track in self.read(window).items():
      # The last point is the whole window, whatever its stamps' rounding.
      steps = np.searchsorted(track.seconds, points + 1e-6, side='right')
      steps[-1] = len(track)
      inputs[modality], _ = clips_lib.pad([track.rows], 1, _STEP_MULTIPLE)
      padding = (0, -len(steps) % _POINT_MULTIPLE)
      lengths[modality] = np.pad(steps.astype(np.int32), padding)[None]
    answers = jax.device_get(apply(self.model, inputs, lengths))
    return {name: rows[0, : len(points)] for name, rows in answers.items()}

  def whole(self, windows: Iterable[Tracks]) -> Answers:
    """Answers whole windows, float32[windows, labels], see `Answers`.

    One or more from `windows.window`, which are taken as they are needed.
    """
    left = iter(windows)
    answers = []
    while batch := [*itertools.islice(left, _WINDOWS)]:
      read = [self.read(window) for window in batch]
      inputs, lengths = {}, {}
      for modality in self.modalities:
        inputs[modality], lengths[modality] = clips_lib.pad(
          [tracks[modality].rows for tracks in read],
          1 if len(batch) == 1 else _WINDOWS,
          _WINDOW_STEPS[modality],
        )
      found = jax.device_get(apply(self.model, inputs, lengths))
      answers.append({name: rows[: len(batch)] for name, rows in found.items()})
    return joined(answers)

  def read(self, window: Tracks) -> dict[str, Track]:
    """Returns the rows of a window that the model reads.

    For each of its modalities a track, of no steps where it is missing; less
    silence that the model was not trained on, and an enrolled speaker's mean.
    """
    tracks = {}
    for modality in self.modalities:
      track = window.get(modality)
      if track is None or not len(track):
        track = Track.empty(self.model.feature_dims[modality])
      elif modality == 'audio' and self.model.config.data.trim_silence:
        track = track[silence.spoken(track.rows)]
      mean = self._speaker_means.get(modality, np.float32(0))
      tracks[modality] = dataclasses.replace(track, rows=track.rows - mean)
    return tracks


def joined(answers: Sequence[Answers]) -> Answers:
  """Joins answers to earlier and to later points of time."""
  return jax.tree.map(lambda *rows: np.concatenate(rows), *answers)


def apply(
  model: TrainedModel, features: Mapping[str, Any], lengths: Mapping[str, Any]
) -> dict[str, jax.Array]:
  """Computes `Answers` of a batch, or of points, by a compiled program.

  Features and lengths are as for `EmotionClassifier.__call__`.
  """
  return _apply(
    model.classifier, model.variables, features, lengths, model.temperature
  )


@functools.partial(jax.jit, static_argnums=0)
def _apply(
  classifier: EmotionClassifier,
  variables: Mapping[str, Any],
  features: Mapping[str, jax.Array],
  lengths: Mapping[str, jax.Array],
  temperature: float,
) -> dict[str, jax.Array]:
  logits: Any = classifier.apply(
    variables, features, lengths, method=classifier.with_branches
  )
  there = {name: lengths[name] > 0 for name in classifier.modalities}
  there[JOINT] = jnp.stack([*there.values()]).any(axis=0)
  answers = {k: jax.nn.softmax(v / temperature) for k, v in logits.items()}
  return {
    k: jnp.where(there[k][..., None], v, jnp.nan) for k, v in answers.items()
  }
