"""Front ends: what turns a modality of a clip into rows of features.

A data set and a checkpoint name theirs by its `source`. Each extracts a row at
a time, so that a stream gives the rows that a file gives; what a model reads is
described from the rows of a window (`of_window`), as landmarks by their mean
face, or speech by all that was said.
"""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from avemotion.features import acoustic, landmarks, speech

CROPS = 'crops'  # In the place of a video front end: the faces themselves.
UNNAMED = 'unnamed features'  # The source where a data set does not say it.
# float32[rows, row_dim] and bool[rows], which to trust, to float32[steps, dim]
# and int[steps], the row at which each of them is known.
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
  """A way to turn one modality into features.

  Attributes:
    name: as flags and configurations call it.
    modality: 'video' or 'audio'.
    source: what its features are, in words: the `sources` of a data set.
    row_dim: numbers of a row as it is extracted.
    dim: numbers of a row as models read it.
    window_steps: room for what a model reads of six seconds.
    of_window: turns the rows of a window, float32[rows, row_dim], one or more,
      into what a model reads, float32[steps, dim], and int[steps], the row at
      which each step is known; bool[rows] says which rows to trust.
    least_known: share of a window's rows that must be known; of fewer, the
      modality counts as missing there.
    make_rows: of sound, how its rows are computed.
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
  """Finds the front end that makes features of a source, `dim` a row.

  Of a source that is not named, as in a checkpoint of an earlier version, the
  numbers of a row decide. None: clips give no such features.
  """
  for each in FRONT_ENDS.values():
    known = source in (None, UNNAMED, each.source)
    if known and (each.modality, each.dim) == (modality, dim):
      return each
  return None


def reading(
  sources: Mapping[str, str], feature_dims: Mapping[str, int]
) -> dict[str, FrontEnd]:
  """Finds the front end of each modality that a model was trained on.

  Args:
    sources: what its features were, by modality, as far as it is known.
    feature_dims: numbers of a row, by modality.

  Raises:
    ValueError: clips do not give the features of one.
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
        f'expected a model that reads {known} numbers a row as {modality}; this'
        f' one reads {source or "features"} ({dim}), which clips do not give:'
        ' train it on features that avemotion extracts'
      )
    found[modality] = front_end
  return found
