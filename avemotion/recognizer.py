"""A trained model and a clip in, the clip's emotion over time out."""

import dataclasses
import functools
import os
from collections.abc import Iterable, Mapping
from typing import Any, Self

import jax
import numpy as np

from avemotion import attribution
from avemotion.data import enrolment, silence
from avemotion.explanation import Explanation
from avemotion.features.clip import FEATURE_WIDTHS, ClipFeatures, Extractor
from avemotion.features.media import FRAMES_PER_SECOND
from avemotion.models import EmotionClassifier
from avemotion.prediction import Prediction, named, step_ends
from avemotion.training import checkpoints, weights

# Sequences are padded to multiples of these, so that clips of like lengths
# share a compiled program.
_STEP_MULTIPLE = 32
_POINT_MULTIPLE = 32


class Recognizer:
  """Keeps a trained model and the feature chain loaded for many clips."""

  def __init__(
    self,
    model: checkpoints.TrainedModel,
    vgg16_weights: str | os.PathLike[str] | None = None,
    *,
    illustrate: bool = False,
  ) -> None:
    """Loads what the model's modalities need.

    Args:
      model: from `checkpoints.load` or `weights.load`.
      vgg16_weights: the ones that the model was trained on; see
        `avemotion.features.vgg16_weights`.
      illustrate: shows faces and loudness in pictures even where the model
        does not read them.

    Raises:
      ValueError: the model was trained on features that clips do not give, or
        the weights cannot be used.
    """
    self._model = model
    self._modalities = model.config.model.modalities
    for modality in self._modalities:
      if model.widths[modality] != FEATURE_WIDTHS[modality]:
        raise ValueError(
          f'the model reads {model.widths[modality]} {modality} features a'
          f' row; a clip gives {FEATURE_WIDTHS[modality]}, so it was'
          ' trained on features from elsewhere'
        )
    self._extract = Extractor(
      self._modalities, vgg16_weights, illustrate=illustrate
    )
    self._speaker_means: dict[str, np.ndarray] = {}

  @classmethod
  def from_checkpoint(
    cls,
    path: str | os.PathLike[str] | None = None,
    vgg16_weights: str | os.PathLike[str] | None = None,
    *,
    illustrate: bool = False,
  ) -> Self:
    """Loads a trained model.

    Args:
      path: a directory that `launch/train.py` wrote, such as WORKDIR/fold_0, or
        an `.npz` that `launch/release.py` wrote. None: the model that ships
        with the package, which listens only.
      vgg16_weights: as for the constructor.
      illustrate: as for the constructor.

    Raises:
      CheckpointError: there is none, or it is damaged.
      ValueError: as for the constructor.
    """
    if path is None:
      model = weights.load()
    elif os.fspath(path).endswith('.npz'):
      model = weights.load(path)
    else:
      model = checkpoints.load(path)
    return cls(model, vgg16_weights, illustrate=illustrate)

  def describe(self) -> str:
    """What the model reads, and what it was trained on, in a line."""
    config = self._model.config
    trained = (
      'everyone'
      if config.data.protocol == 'everyone'
      else f'a fold of {config.data.protocol}'
    )
    return (
      f'{" and ".join(self._modalities)}, trained on {trained} in'
      f' {config.data.dataset}'
    )

  def enrol(self, paths: Iterable[str | os.PathLike[str]]) -> None:
    """Gets to know the speaker of the clips that follow.

    Args:
      paths: clips of that speaker alone, of several emotions; no one need know
        which.

    Raises:
      ClipError: one cannot be read.
      ValueError: the model was not trained for speakers who are enrolled, or
        none of the clips has what it reads.
    """
    enrolled = self._model.config.data.enrol
    if not enrolled:
      raise ValueError(
        'the model was trained for strangers; one for speakers who are enrolled'
        ' is trained with --config.data.enrol=video,audio'
      )
    extracted = [self._extract(path) for path in paths]
    self._speaker_means = {
      modality: enrolment.speaker_mean(
        [self._rows(features, modality)[0] for features in extracted]
      )
      for modality in set(enrolled) & set(self._modalities)
    }

  def predict(self, path: str | os.PathLike[str]) -> Prediction:
    """Recognises the emotion of one clip.

    Args:
      path: anything that FFmpeg opens.

    Returns:
      The prediction; a missing modality is in its warnings.

    Raises:
      ClipError: the clip cannot be read, or has none of the model's modalities.
    """
    features = self._extract(path)
    points = _timeline_points(features)
    branches = self._probabilities(features, points)
    rows = branches.pop('joint')
    missing = set(self._modalities) - set(features.modalities)
    stranger = self._model.config.data.enrol and not self._speaker_means
    warnings = features.warnings + tuple(
      ['the model expects a speaker who is enrolled (--enrol)'] * bool(stranger)
    )
    warnings += tuple(
      f'recognised without {name}, though the model was trained with it'
      for name in sorted(missing)
    )
    found = features.face_found
    return Prediction(
      clip=os.fspath(path),
      label=self._model.label_names[rows[-1].argmax()],
      probabilities=named(self._model.label_names, rows[-1]),
      modalities=features.modalities,
      seconds=features.seconds,
      face_share=None if found is None else float(found.mean()),
      timeline_seconds=points,
      timeline=rows,
      warnings=warnings,
      features=features,
      branches=branches,
    )

  def explain(self, prediction: Prediction) -> Prediction:
    """Tells which time steps, of which modality, carried a clip's label.

    Args:
      prediction: of this recogniser.

    Returns:
      The same with its `explanation`.
    """
    inputs, seconds = {}, {}
    for modality in self._modalities:
      rows, seconds[modality] = self._rows(prediction.features, modality)
      inputs[modality] = rows - self._speaker_means.get(modality, 0)
    label = self._model.label_names.index(prediction.label)
    attributions = attribution.attribute(self._model, inputs, label)
    found = Explanation(prediction.label, seconds, attributions)
    return dataclasses.replace(prediction, explanation=found)

  def _probabilities(
    self, features: ClipFeatures, points: np.ndarray
  ) -> dict[str, np.ndarray]:
    """Probabilities from the clip's start to each point, float32[points, …].

    Those of all modalities under 'joint', and of two each by itself.
    """
    inputs, lengths = {}, {}
    for modality in self._modalities:
      rows, ends = self._rows(features, modality)
      rows = rows - self._speaker_means.get(modality, 0)
      inputs[modality] = _pad(rows, _STEP_MULTIPLE)[None]
      # The last point is the whole clip, whatever the rounding of its stamps.
      steps = np.searchsorted(ends, points + 1e-6, side='right')
      steps[-1] = len(rows)
      lengths[modality] = _pad(steps.astype(np.int32), _POINT_MULTIPLE)[None]
    probabilities = _apply(
      self._model.classifier,
      self._model.variables,
      inputs,
      lengths,
      self._model.temperature,
    )
    return {
      name: np.asarray(probabilities[name])[: len(points)]
      for name in ('joint', *features.modalities)
      if name in probabilities
    }

  def _rows(
    self, features: ClipFeatures, modality: str
  ) -> tuple[np.ndarray, np.ndarray]:
    """Rows that the model reads and the time that each is known at, seconds."""
    rows = getattr(features, modality)
    if rows is None:  # No rows: the branch answers with its zero state.
      return np.zeros((0, FEATURE_WIDTHS[modality]), np.float32), np.zeros(0)
    if modality == 'video' and features.frame_seconds is not None:
      return rows, features.frame_seconds
    ends = step_ends(len(rows))
    if modality == 'audio' and self._model.config.data.trim_silence:
      heard = silence.spoken(rows)
      return rows[heard], ends[heard]
    return rows, ends


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
  return {
    name: jax.nn.softmax(of_clip[0] / temperature)
    for name, of_clip in logits.items()
  }


def _timeline_points(features: ClipFeatures) -> np.ndarray:
  """Every 1/7.5 s after the clip's start, and its end."""
  step = 1 / FRAMES_PER_SECOND
  return np.append(
    np.arange(step, features.seconds - step / 2, step), features.seconds
  ).astype(np.float32)


def _pad(rows: np.ndarray, multiple: int) -> np.ndarray:
  missing = -len(rows) % multiple or (0 if len(rows) else multiple)
  return np.pad(rows, [(0, missing)] + [(0, 0)] * (rows.ndim - 1))
