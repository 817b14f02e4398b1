"""A trained model's answers to windows of a clip."""

import functools
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from avemotion.data import clips as clips_lib
from avemotion.data import enrolment, silence
from avemotion.features.clip import FEATURE_WIDTHS
from avemotion.models import EmotionClassifier
from avemotion.training.checkpoints import TrainedModel
from avemotion.windows import Track, Tracks

# Sequences, points and windows are padded to multiples of these, so that clips
# of like lengths share a compiled program.
_STEP_MULTIPLE = 32
_POINT_MULTIPLE = 32
_WINDOWS = 16


class WindowClassifier:
  """A trained model, and what it knows of the speaker."""

  def __init__(self, model: TrainedModel) -> None:
    self.model = model
    self._speaker_means: dict[str, np.ndarray] = {}

  @property
  def modalities(self) -> tuple[str, ...]:
    """What the model reads."""
    return self.model.config.model.modalities

  @property
  def of_stranger(self) -> bool:
    """Whether it expects to know the speaker, and does not."""
    return bool(self.model.config.data.enrol) and not self._speaker_means

  def enrol(self, clips: Iterable[Tracks]) -> None:
    """Gets to know the speaker.

    Args:
      clips: of that speaker alone.

    Raises:
      ValueError: the model was not trained for speakers who are enrolled, or
        none of the clips has what it reads.
    """
    enrolled = self.model.config.data.enrol
    if not enrolled:
      raise ValueError(
        'the model was trained for strangers; one for speakers who are enrolled'
        ' is trained with --config.data.enrol=video,audio'
      )
    known = [*clips]
    self._speaker_means = {
      modality: enrolment.speaker_mean(
        [self._read(tracks, modality).rows for tracks in known]
      )
      for modality in set(enrolled) & set(self.modalities)
    }

  def over_time(self, window: Tracks, points: np.ndarray) -> np.ndarray:
    """The answers from a window's start to each of several points of time.

    Args:
      window: from `windows.window`.
      points: float[points], seconds; the last is its end.

    Returns:
      float32[points, labels], probabilities; nan where nobody was heard or seen
      yet.
    """
    inputs, lengths = {}, {}
    for modality in self.modalities:
      track = self._read(window, modality)
      # The last point is the whole window, whatever its stamps' rounding.
      steps = np.searchsorted(track.seconds, points + 1e-6, side='right')
      steps[-1] = len(track)
      inputs[modality], _ = clips_lib.pad(
        [self._known_rows(track, modality)], step_multiple=_STEP_MULTIPLE
      )
      padding = (0, -len(steps) % _POINT_MULTIPLE)
      lengths[modality] = np.pad(steps.astype(np.int32), padding)[None]
    return self._apply(inputs, lengths)[0, : len(points)]

  def whole(self, windows: Iterable[Tracks]) -> np.ndarray:
    """The answers to whole windows.

    Args:
      windows: from `windows.window`, any number; taken as they are needed.

    Returns:
      float32[windows, labels], probabilities; nan where nobody is heard or
      seen.
    """
    answers = [np.zeros((0, len(self.model.label_names)), np.float32)]
    left = iter(windows)
    while batch := [*itertools.islice(left, _WINDOWS)]:
      answers.append(self._whole(batch))
    return np.concatenate(answers)

  def _whole(self, windows: Sequence[Tracks]) -> np.ndarray:
    """Of up to 16 windows; a single one is a batch of one."""
    inputs, lengths = {}, {}
    for modality in self.modalities:
      tracks = [self._read(each, modality) for each in windows]
      inputs[modality], lengths[modality] = clips_lib.pad(
        [self._known_rows(track, modality) for track in tracks],
        1 if len(windows) == 1 else _WINDOWS,
        _STEP_MULTIPLE,
      )
    return self._apply(inputs, lengths)[: len(windows)]

  def _read(self, window: Tracks, modality: str) -> Track:
    """What the model reads of a modality."""
    track = window.get(modality)
    if track is None or not len(track):
      return Track.empty(FEATURE_WIDTHS[modality])
    if modality == 'audio' and self.model.config.data.trim_silence:
      return track.part(silence.spoken(track.rows))
    return track

  def _known_rows(self, track: Track, modality: str) -> np.ndarray:
    """Its rows, less the speaker's mean where they are enrolled."""
    return track.rows - self._speaker_means.get(modality, np.float32(0))

  def _apply(
    self, inputs: Mapping[str, np.ndarray], lengths: Mapping[str, np.ndarray]
  ) -> np.ndarray:
    found = probabilities(
      self.model.classifier,
      self.model.variables,
      inputs,
      lengths,
      self.model.temperature,
    )
    return np.asarray(found)


@functools.partial(jax.jit, static_argnums=0)
def probabilities(
  classifier: EmotionClassifier,
  variables: Mapping[str, Any],
  features: Mapping[str, jax.Array],
  lengths: Mapping[str, jax.Array],
  temperature: float,
) -> jax.Array:
  """The compiled program behind `WindowClassifier`.

  Args:
    classifier: the network.
    variables: of it.
    features: as for `EmotionClassifier.__call__`.
    lengths: likewise.
    temperature: of the softmax.

  Returns:
    float32[batch, labels] or float32[batch, points, labels]; nan where there
    are no steps of any modality.
  """
  logits = jnp.asarray(classifier.apply(variables, features, lengths))
  steps = jnp.stack([lengths[modality] for modality in classifier.modalities])
  told = (steps > 0).any(axis=0)[..., None]
  return jnp.where(told, jax.nn.softmax(logits / temperature), jnp.nan)
