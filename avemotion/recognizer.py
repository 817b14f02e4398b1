"""A trained model and a clip in, the clip's emotion over time out."""

import dataclasses
import functools
import os
from collections.abc import Iterable, Mapping
from typing import Any, Self

import jax
import numpy as np

from avemotion.data import silence
from avemotion.features import acoustic
from avemotion.features.clip import FEATURE_WIDTHS, ClipFeatures, Extractor
from avemotion.features.media import FRAMES_PER_SECOND
from avemotion.models import EmotionClassifier
from avemotion.training import checkpoints, weights

# Sequences are padded to multiples of these, so that clips of like lengths
# share a compiled program.
_STEP_MULTIPLE = 32
_POINT_MULTIPLE = 32
_BAR_WIDTH = 40  # characters of a probability of one


@dataclasses.dataclass(frozen=True)
class Prediction:
  """What a clip's emotion is taken to be.

  Attributes:
    clip: the path as given.
    label: of the largest probability at the clip's end.
    probabilities: by label name, for the whole clip.
    modalities: which of the model's modalities the clip had.
    seconds: length of the clip.
    face_share: share of the sampled frames with a face; None: no picture read.
    timeline_seconds: float32[points].
    timeline: float32[points, labels], from the clip's start to each point.
    warnings: what is missing or doubtful.
    features: what was extracted, for pictures.
  """

  clip: str
  label: str
  probabilities: Mapping[str, float]
  modalities: tuple[str, ...]
  seconds: float
  face_share: float | None
  timeline_seconds: np.ndarray
  timeline: np.ndarray
  warnings: tuple[str, ...]
  features: ClipFeatures

  def to_json(self) -> dict[str, Any]:
    """The object that `launch/predict.py --json` prints."""
    return {
      'clip': self.clip,
      'label': self.label,
      'probabilities': dict(self.probabilities),
      'modalities': list(self.modalities),
      'seconds': round(self.seconds, 3),
      'face_share': self.face_share,
      'timeline': [
        {
          'seconds': round(float(seconds), 3),
          'probabilities': _named(self.probabilities, row),
        }
        for seconds, row in zip(
          self.timeline_seconds, self.timeline, strict=True
        )
      ],
      'warnings': list(self.warnings),
    }

  def __str__(self) -> str:
    """A table for the terminal: what was seen and heard, and each label."""
    faces = '' if self.face_share is None else f', {self.face_share:.0%} faces'
    lines = [
      f'{self.clip}  ({self.seconds:.1f} s, {" + ".join(self.modalities)}'
      f'{faces})'
    ]
    ranked = sorted(self.probabilities.items(), key=lambda item: -item[1])
    for name, share in ranked:
      bar = '█' * round(share * _BAR_WIDTH)
      lines.append(f'  {name:<10} {share:6.1%}  {bar}')
    lines += [f'  note: {warning}' for warning in self.warnings]
    return '\n'.join(lines)

  def save_plot(self, path: str | os.PathLike[str]) -> None:
    """Draws probabilities over time, loudness and faces into a PNG."""
    from avemotion.evaluation import plots

    shown = self.features
    loudness = faces = None
    if shown.loudness is not None:
      loudness = _step_ends(len(shown.loudness)), shown.loudness
    if shown.crops is not None and shown.frame_seconds is not None:
      faces = shown.frame_seconds, shown.crops
    plots.save_timeline(
      path,
      self.timeline_seconds,
      dict(zip(self.probabilities, self.timeline.T, strict=True)),
      duration=self.seconds,
      title=(
        f'{os.path.basename(self.clip)}: {self.label}'
        f' ({", ".join(self.modalities)})'
      ),
      loudness=loudness,
      faces=faces,
    )


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
    rows = self._probabilities(features, points)
    missing = set(self._modalities) - set(features.modalities)
    warnings = features.warnings + tuple(
      f'recognised without {name}, though the model was trained with it'
      for name in sorted(missing)
    )
    found = features.face_found
    return Prediction(
      clip=os.fspath(path),
      label=self._model.label_names[rows[-1].argmax()],
      probabilities=_named(self._model.label_names, rows[-1]),
      modalities=features.modalities,
      seconds=features.seconds,
      face_share=None if found is None else float(found.mean()),
      timeline_seconds=points,
      timeline=rows,
      warnings=warnings,
      features=features,
    )

  def _probabilities(
    self, features: ClipFeatures, points: np.ndarray
  ) -> np.ndarray:
    """Probabilities from the clip's start to each point, float32[points, …]."""
    inputs, lengths = {}, {}
    for modality in self._modalities:
      rows, ends = _rows(features, modality)
      if modality == 'audio' and self._model.config.data.trim_silence:
        heard = silence.spoken(rows)
        rows, ends = rows[heard], ends[heard]
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
    return np.asarray(probabilities)[: len(points)]


@functools.partial(jax.jit, static_argnums=0)
def _apply(
  classifier: EmotionClassifier,
  variables: Mapping[str, Any],
  features: Mapping[str, jax.Array],
  lengths: Mapping[str, jax.Array],
  temperature: float,
) -> jax.Array:
  logits = classifier.apply(variables, features, lengths)
  return jax.nn.softmax(logits[0] / temperature)


def _timeline_points(features: ClipFeatures) -> np.ndarray:
  """Every 1/7.5 s after the clip's start, and its end."""
  step = 1 / FRAMES_PER_SECOND
  return np.append(
    np.arange(step, features.seconds - step / 2, step), features.seconds
  ).astype(np.float32)


def _rows(
  features: ClipFeatures, modality: str
) -> tuple[np.ndarray, np.ndarray]:
  """Rows of a modality and the time that each is known at, in seconds."""
  rows = getattr(features, modality)
  if rows is None:  # No rows: the branch answers with its zero state.
    return np.zeros((0, FEATURE_WIDTHS[modality]), np.float32), np.zeros(0)
  if modality == 'video' and features.frame_seconds is not None:
    return rows, features.frame_seconds
  return rows, _step_ends(len(rows))


def _step_ends(steps: int) -> np.ndarray:
  """When the last sample of each MFCC row has been heard, in seconds."""
  starts = np.arange(steps) * acoustic.HOP_LENGTH
  return (starts + acoustic.FRAME_LENGTH) / acoustic.SAMPLE_RATE


def _named(names: Iterable[str], row: np.ndarray) -> dict[str, float]:
  """Probabilities by label name, to six digits."""
  return {
    name: round(float(value), 6) for name, value in zip(names, row, strict=True)
  }


def _pad(rows: np.ndarray, multiple: int) -> np.ndarray:
  missing = -len(rows) % multiple or (0 if len(rows) else multiple)
  return np.pad(rows, [(0, missing)] + [(0, 0)] * (rows.ndim - 1))
