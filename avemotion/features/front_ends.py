"""Front ends: feature extraction of one modality.

Data sets and checkpoints name their front end by its `source`. Extraction works
row by row, so streams and files give the same rows; `of_window` turns the rows
of a window into model inputs, for example relative to the mean face.
"""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from avemotion.features import acoustic, landmarks, speech

CROPS = 'crops'  # Instead of a video front end: face crops without features.
UNNAMED = 'unnamed features'  # The source of a data set that names none.
# Function of rows, float32[rows, row_dim], and a mask of reliable rows,
# bool[rows]. Returns float32[steps, dim], and int[steps], the row of each step.
_OfWindow = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def _as_extracted(
  rows: np.ndarray, known: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  return rows, np.arange(len(rows))


def _described(
  rows: np.ndarray, known: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  points = rows.reshape(len(rows), landmarks.NUM_POINTS, 2)
  return landmarks.describe(points, known), np.arange(len(rows))


@dataclasses.dataclass(frozen=True)
class FrontEnd:
  """A method to extract features from one modality.

  Attributes:
    name: name in flags and configurations.
    modality: 'video' or 'audio'.
    source: description of the features, as in the `sources` of a data set.
    row_dim: features per extracted row.
    dim: features per model input step.
    window_steps: padded number of steps of a six-second window.
    of_window: function of the rows of a window, float32[rows, row_dim], at
      least one, and a mask of reliable rows, bool[rows], that returns model
      inputs, float32[steps, dim], and the last row of each step, int[steps].
    least_known: least share of reliable rows in a window; below it the modality
      counts as missing.
    make_rows: for audio, the function that computes rows.
  """

  name: str
  modality: str
  source: str
  row_dim: int
  dim: int
  window_steps: int
  of_window: _OfWindow = _as_extracted
  least_known: float = 0.0
  make_rows: acoustic.RowMaker | None = None


VGG16 = FrontEnd('vgg16', 'video', 'VGG16 of 48×48 face crops', 512, 512, 64)
LANDMARKS = FrontEnd(
  'landmarks',
  'video',
  '68 face landmarks',
  2 * landmarks.NUM_POINTS,
  landmarks.FEATURES,
  64,
  _described,
  least_known=0.1,
)
MFCC = FrontEnd(
  'mfcc',
  'audio',
  'MFCC',
  acoustic.NUM_COEFFICIENTS,
  acoustic.NUM_COEFFICIENTS,
  160,
  make_rows=acoustic.MFCC_ROWS,
)
SPEECH = FrontEnd(
  'speech',
  'audio',
  "Whisper's encoder",
  speech.NUM_BANDS,
  speech.FEATURES,
  80,
  speech.describe,
  make_rows=speech.LOG_MEL_ROWS,
)
FRONT_ENDS = {each.name: each for each in (VGG16, LANDMARKS, MFCC, SPEECH)}


def find(modality: str, source: str | None, dim: int) -> FrontEnd | None:
  """Returns the front end with this source and `dim`; None: there is none.

  Without a source, as in older checkpoints, `dim` alone decides.
  """
  for each in FRONT_ENDS.values():
    known = source in (None, UNNAMED, each.source)
    if known and (each.modality, each.dim) == (modality, dim):
      return each
  return None


def reading(
  sources: Mapping[str, str], feature_dims: Mapping[str, int]
) -> dict[str, FrontEnd]:
  """Returns the front end of each modality of a model.

  Args:
    sources: by modality, the source of its features if known.
    feature_dims: by modality, the number of features per step.

  Raises:
    ValueError: no front end extracts the features of a modality.
  """
  found = {}
  for modality, dim in feature_dims.items():
    source = sources.get(modality)
    front_end = find(modality, source, dim)
    if front_end is None:
      known = ' or '.join(
        f'{each.source} ({each.dim})'
        for each in FRONT_ENDS.values()
        if each.modality == modality
      )
      raise ValueError(
        f'expected a model that reads {known} as {modality}, got one of'
        f' {source or "features"} ({dim}); train it on features that avemotion'
        ' extracts'
      )
    found[modality] = front_end
  return found
