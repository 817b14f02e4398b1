"""Application of a trained model to windows of a clip."""

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
from avemotion.features.front_ends import FrontEnd
from avemotion.models import EmotionClassifier
from avemotion.models.fusion import JOINT
from avemotion.recognition.windows import Track, Tracks
from avemotion.training.trained_model import TrainedModel

# Sequences, points and windows are padded to these multiples, so that clips of
# similar lengths share a compiled program.
_STEP_MULTIPLE = 32
_POINT_MULTIPLE = 32
_WINDOWS = 16
_EVIDENCE = {'video': 'shows a face', 'audio': 'has a voice'}
_WINDOW_STEPS = 160  # multiple of steps without a front end

# Probabilities float32[…, labels]: under `JOINT` from all modalities and, if
# the model has two, under each name from that modality alone; NaN without a
# voice or a face.
Answers = dict[str, np.ndarray]


class WindowClassifier:
  """A trained model with the means of an enrolled speaker.

  Windows hold rows as the `front_ends`, by modality, extract them; without a
  front end, rows are model inputs.
  """

  def __init__(
    self, model: TrainedModel, front_ends: Mapping[str, FrontEnd] | None = None
  ) -> None:
    self.model = model
    self.modalities = model.config.model.modalities
    self.front_ends = front_ends or {}
    # By modality, the vector to subtract from each row.
    self._speaker_offsets: dict[str, np.ndarray] = {}

  @property
  def lacks_speaker(self) -> bool:
    """True if the model expects an enrolled speaker and has none."""
    return bool(self.model.config.data.enrol) and not self._speaker_offsets

  def enrol(self, clips: Iterable[Tracks]) -> list[bool]:
    """Learns the speaker's means, see `Recognizer.enrol`.

    Returns a flag for each clip: True if it was used.
    """
    # Without the mean of an earlier speaker.
    fresh = WindowClassifier(self.model, self.front_ends)
    read = [*map(fresh.read, clips)]
    config = self.model.config
    # A branch with `cmn` subtracts the mean of each clip already.
    changed = [m for m in self.modalities if not getattr(config.model, m).cmn]
    if config.data.enrol:
      changed = [m for m in self.modalities if m in config.data.enrol]
    if not changed:
      raise ValueError(
        'enrolment has no effect: the model subtracts the mean of each clip'
        ' already (`cmn`); predict without it'
      )
    offsets = {}
    for name in changed:
      rows = [tracks[name].rows for tracks in read if len(tracks[name])]
      if config.data.enrol:
        offsets[name] = enrolment.speaker_mean(rows)
      elif rows:
        offsets[name] = enrolment.offset(rows, self._training_mean(name))
    if not offsets:
      wanted = (_EVIDENCE[name] for name in changed)
      raise ValueError(
        f'no enrolment clip {" or ".join(wanted)}; add at least one that does'
      )
    self._speaker_offsets = offsets
    return [any(len(tracks[name]) for name in changed) for tracks in read]

  def _training_mean(self, modality: str) -> np.ndarray:
    """Returns the mean of all training rows; 0 for features not in use."""
    statistics = self.model.variables['statistics'][modality]['standardize']
    mean = np.zeros(self.model.feature_dims[modality], np.float32)
    mean[: len(statistics['mean'])] = statistics['mean']
    return mean

  def over_time(self, window: Tracks, points: np.ndarray) -> Answers:
    """Computes answers from a window's start to each of several points.

    `points`, float[points], are in seconds; the last one is the window's end.
    Returns probabilities float32[points, labels], see `Answers`.
    """
    inputs, lengths = {}, {}
    for modality, track in self.read(window).items():
      # The last point is the whole window, despite rounding of time stamps.
      steps = np.searchsorted(track.seconds, points + 1e-6, side='right')
      steps[-1] = len(track)
      inputs[modality], _ = clips_lib.pad([track.rows], 1, _STEP_MULTIPLE)
      padding = (0, -len(steps) % _POINT_MULTIPLE)
      lengths[modality] = np.pad(steps.astype(np.int32), padding)[None]
    answers = _answers(self.model, inputs, lengths)
    return {name: rows[0, : len(points)] for name, rows in answers.items()}

  def whole(self, windows: Iterable[Tracks]) -> Answers:
    """Computes float32[windows, labels] for whole windows, see `Answers`.

    `windows` come from `windows.window`, at least one; they are read lazily.
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
          self._window_steps(modality),
        )
      found = _answers(self.model, inputs, lengths)
      answers.append({name: rows[: len(batch)] for name, rows in found.items()})
    return joined(answers)

  def _window_steps(self, modality: str) -> int:
    """Returns the multiple of steps to which windows are padded."""
    front_end = self.front_ends.get(modality)
    return front_end.window_steps if front_end else _WINDOW_STEPS

  def read(self, window: Tracks) -> dict[str, Track]:
    """Returns the model's inputs for a window, a track per modality.

    Rows are `feature_dims` wide; a missing modality has no steps. Silence is
    removed if the model was trained without it, and the enrolled speaker's
    offset is subtracted.
    """
    tracks = {}
    for modality in self.modalities:
      track = window.get(modality)
      front_end = self.front_ends.get(modality)
      least = front_end.least_known if front_end else 0
      if track is None or not len(track) or track.evidence.mean() < least:
        track = Track.empty(self.model.feature_dims[modality])
      elif front_end:
        rows, steps = front_end.of_window(track.rows, track.evidence)
        track = dataclasses.replace(track[steps], rows=rows)
      if modality == 'audio' and self.model.config.data.trim_silence:
        track = track[silence.spoken(track.rows)]
      offset = self._speaker_offsets.get(modality, np.float32(0))
      tracks[modality] = dataclasses.replace(track, rows=track.rows - offset)
    return tracks


def joined(answers: Sequence[Answers]) -> Answers:
  """Concatenates answers for successive points in time."""
  return jax.tree.map(lambda *rows: np.concatenate(rows), *answers)


def apply(
  model: TrainedModel, features: Mapping[str, Any], lengths: Mapping[str, Any]
) -> dict[str, jax.Array]:
  """Computes `Answers` for a batch; may be called under `jax.jit`.

  Features and lengths are as for `EmotionClassifier.__call__`.
  """
  answers, there = _known(model, features, lengths)
  return {
    k: jnp.where(there[k][..., None], v, jnp.nan) for k, v in answers.items()
  }


def _answers(
  model: TrainedModel, features: Mapping[str, Any], lengths: Mapping[str, Any]
) -> Answers:
  """Computes `apply`, but sets NaN in NumPy, which JAX_DEBUG_NANS ignores."""
  answers, there = jax.device_get(_known(model, features, lengths))
  return {
    k: np.where(there[k][..., None], v, np.float32(np.nan))
    for k, v in answers.items()
  }


def _known(
  model: TrainedModel, features: Mapping[str, Any], lengths: Mapping[str, Any]
) -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:
  """Computes probabilities, and a mask of those with at least one step."""
  temperatures = {
    name: model.temperature_of([name]) for name in model.classifier.modalities
  }
  temperatures[JOINT] = model.temperature
  return _apply(
    model.classifier, model.variables, features, lengths, temperatures
  )


@functools.partial(jax.jit, static_argnums=0)
def _apply(
  classifier: EmotionClassifier,
  variables: Mapping[str, Any],
  features: Mapping[str, jax.Array],
  lengths: Mapping[str, jax.Array],
  temperatures: Mapping[str, float],
) -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:
  logits: Any = classifier.apply(
    variables, features, lengths, method=classifier.with_branches
  )
  there = {name: lengths[name] > 0 for name in classifier.modalities}
  joint = jnp.full_like(logits[JOINT][..., 0], temperatures[JOINT])
  all_there = jnp.stack([*there.values()])
  for (
    name
  ) in classifier.modalities:  # A modality alone has its own temperature.
    alone = there[name] & (all_there.sum(axis=0) == 1)
    joint = jnp.where(alone, temperatures[name], joint)
  there[JOINT] = all_there.any(axis=0)
  answers = {
    k: jax.nn.softmax(v / (joint[..., None] if k == JOINT else temperatures[k]))
    for k, v in logits.items()
  }
  return answers, there
