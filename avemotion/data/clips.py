"""A whole data set of clips as padded arrays with lengths.

It comes from TFDS, or from one `.npz` file of anybody's features, for which
TensorFlow need not be installed.
"""

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from avemotion.data import npz
from avemotion.features import front_ends
from avemotion.features.front_ends import UNNAMED
from avemotion.models.fusion import MODALITIES

COPY = '~'  # Follows the clip's id in that of its changed copy.
_REQUIRED_KEYS = ('labels', 'actors', 'clip_ids', 'label_names')


@dataclasses.dataclass(frozen=True)
class ClipSet:
  """Clips of a data set, in the order of their ids.

  Attributes:
    features: for each modality float32[clips, time, features], zero-padded.
    lengths: for each modality int32[clips], valid steps.
    labels, actors: int32[clips].
    clip_ids: str[clips].
    label_names: names of the labels 0, 1, ….
    sources: for each modality what its features are, in words; what is not
      said is 'unnamed features'.
    added: bool[clips], those of data sets that are only trained on beside the
      first; None: none.
  """

  features: Mapping[str, np.ndarray]
  lengths: Mapping[str, np.ndarray]
  labels: np.ndarray
  actors: np.ndarray
  clip_ids: np.ndarray
  label_names: tuple[str, ...]
  sources: Mapping[str, str] = dataclasses.field(default_factory=dict)
  added: np.ndarray | None = None

  def __post_init__(self) -> None:
    clips = self.labels.size
    if not clips or not self.features or not self.label_names:
      raise ValueError(
        'a data set needs clips, names of labels, and at least one modality'
      )
    for name in ('labels', 'actors', 'clip_ids'):
      _expect(name, getattr(self, name), (clips,))
    for name in ('clip_ids', 'label_names'):
      names, counts = np.unique(getattr(self, name), return_counts=True)
      if counts.max() > 1:
        raise ValueError(f'{name}: {names[counts.argmax()]} is there twice')
    for modality, rows in self.features.items():
      if rows.ndim != 3 or not rows.shape[2]:
        raise ValueError(
          f'{modality}: expected [clips, time, features], got {rows.shape}'
        )
      _expect(modality, rows, (clips, *rows.shape[1:]))
      lengths = self.lengths[modality]
      _expect(f'{modality}_lengths', lengths, (clips,))
      _expect_between(f'{modality}_lengths', lengths, rows.shape[1])
      if not np.isfinite(rows).all():
        clip = self.clip_ids[np.argwhere(~np.isfinite(rows))[0, 0]]
        raise ValueError(
          f'{modality}: clip {clip} has values not finite, or beyond float32'
        )
    _expect_between('labels', self.labels, len(self.label_names) - 1)
    said = self.sources
    sources = {k: said.get(k, UNNAMED) for k in self.features}
    object.__setattr__(self, 'sources', sources)

  def __len__(self) -> int:
    return len(self.labels)

  @property
  def feature_dims(self) -> dict[str, int]:
    """Features of a row, for each modality."""
    return {name: rows.shape[-1] for name, rows in self.features.items()}

  @property
  def divided(self) -> np.ndarray:
    """Which clips a protocol divides, bool[clips].

    The others are trained on beside them: clips that were `added`, and changed
    copies of clips, whose ids are those of the clips with '~' and a name.
    """
    copies = np.char.find(self.clip_ids, COPY) >= 0
    return ~copies if self.added is None else ~(copies | self.added)

  def describe(self) -> str:
    """Says how many clips there are, and of what: a line for each modality."""
    lines = [f'{len(self)} clips']
    for name, size in self.feature_dims.items():
      fewest, most = self.lengths[name].min(), self.lengths[name].max()
      lines.append(
        f'  {name}: {self.sources[name]}; {size} numbers a row, {fewest} to'
        f' {most} rows a clip'
      )
    return '\n'.join(lines)

  def select(self, modalities: tuple[str, ...]) -> Self:
    """Returns the same clips with some modalities only.

    Raises:
      ValueError: the data set lacks one of them.
    """
    missing = [name for name in modalities if name not in self.features]
    if missing:
      raise ValueError(
        f'the model reads {", ".join(modalities)}, but the data set has only'
        f' {", ".join(self.features)}'
      )
    return dataclasses.replace(
      self,
      features={name: self.features[name] for name in modalities},
      lengths={name: self.lengths[name] for name in modalities},
    )

  def take(self, indices: np.ndarray) -> Self:
    """Returns the clips at int[n] indices, in their order."""
    return dataclasses.replace(
      self,
      features={name: rows[indices] for name, rows in self.features.items()},
      lengths={name: rows[indices] for name, rows in self.lengths.items()},
      labels=self.labels[indices],
      actors=self.actors[indices],
      clip_ids=self.clip_ids[indices],
      added=None if self.added is None else self.added[indices],
    )

  @classmethod
  def from_npz(cls, path: str | os.PathLike[str]) -> Self:
    """Reads a data set from one file of features; needs only NumPy.

    It is an `.npz` with `labels` int[clips], `actors` int[clips], `clip_ids`
    str[clips], `label_names` str[labels], and at least one of `video` and
    `audio`, float[clips, time, features], each with `video_lengths` or
    `audio_lengths`, int[clips]; `video_source` and `audio_source`, str, say
    what the features are, and may be left out.

    Raises:
      ValueError: the file is missing, damaged, or lacks a key; or an array has
        a wrong shape or dtype, or numbers that are not whole or not finite.
    """
    arrays = npz.read(path)
    try:
      clips = cls(**_fields(arrays))
    except ValueError as error:
      raise ValueError(f'{path}: {error}') from error
    return clips.take(np.argsort(clips.clip_ids, kind='stable'))

  @classmethod
  def from_tfds(
    cls, name: str, data_dir: str | os.PathLike[str] | None = None
  ) -> Self:
    """Reads all splits of a prepared TFDS data set: 'ravdess/speech_audio'.

    `data_dir` is where it was prepared; None: TFDS's own default, and of
    'ravdess/bundled' the package.

    Raises:
      ValueError: it is not prepared there, or a shard is damaged.
    """
    from avemotion.data import tfds_reader

    examples, label_names = tfds_reader.read(name, data_dir)
    examples.sort(key=lambda example: example['clip_id'])
    present = [name for name in MODALITIES if name in examples[0]]
    padded = {k: pad([e[k] for e in examples]) for k in present}
    made_by = {
      name: front_ends.find(name, None, rows.shape[-1])
      for name, (rows, _) in padded.items()
    }
    return cls(
      features={name: rows for name, (rows, _) in padded.items()},
      lengths={name: lengths for name, (_, lengths) in padded.items()},
      labels=npz.whole_numbers(
        'label', np.array([e['label'] for e in examples])
      ),
      actors=npz.whole_numbers(
        'actor', np.array([e['actor'] for e in examples])
      ),
      clip_ids=np.array([e['clip_id'].decode() for e in examples]),
      label_names=label_names,
      sources={name: each.source for name, each in made_by.items() if each},
    )

  def to_npz(self, path: str | os.PathLike[str]) -> None:
    """Writes the file that `from_npz` reads; as `npz.write`."""
    arrays = {key: np.array(getattr(self, key)) for key in _REQUIRED_KEYS}
    for modality, rows in self.features.items():
      arrays[modality] = rows
      arrays[f'{modality}_lengths'] = self.lengths[modality]
      arrays[f'{modality}_source'] = np.array(self.sources[modality])
    npz.write(path, arrays)


def load(
  dataset: str, data_dir: str | os.PathLike[str] | None = None
) -> ClipSet:
  """Reads a data set by name: a path that ends in `.npz`, or a TFDS name.

  Several, as 'ravdess/speech_encoder+nemo/speech_encoder', are joined, see
  `join`. Other arguments and errors are those of `ClipSet.from_npz` and
  `ClipSet.from_tfds`.
  """
  first, *others = dataset.split('+')
  found = _load(first, data_dir)
  for name in others:
    found = join(found, _load(name, data_dir))
  return found


def join(clips: ClipSet, added: ClipSet) -> ClipSet:
  """Adds the clips of another data set, which are only trained on.

  Its actors are counted on from those of the first; a modality that the first
  lacks is left out, and one that it lacks itself is missing.

  Raises:
    ValueError: a modality is of other features, or a clip's id is in both.
  """
  for modality in set(clips.features) & set(added.features):
    kinds = [
      (each.sources[modality], each.feature_dims[modality])
      for each in (clips, added)
    ]
    if kinds[0] != kinds[1]:
      raise ValueError(
        f'{modality}: expected data sets of the same features, got'
        f' {kinds[0][0]} ({kinds[0][1]}) and {kinds[1][0]} ({kinds[1][1]})'
      )
  names = tuple(dict.fromkeys(clips.label_names + added.label_names))
  labels = np.array([names.index(name) for name in added.label_names])
  features, lengths = {}, {}
  for modality, rows in clips.features.items():
    theirs = added.features.get(
      modality, np.zeros((len(added), 0, rows.shape[2]), rows.dtype)
    )
    time = max(rows.shape[1], theirs.shape[1])
    features[modality] = np.concatenate(
      [
        np.pad(each, ((0, 0), (0, time - each.shape[1]), (0, 0)))
        for each in (rows, theirs)
      ]
    )
    missing = np.zeros(len(added), np.int32)
    lengths[modality] = np.concatenate(
      [clips.lengths[modality], added.lengths.get(modality, missing)]
    )
  # As int64: two of int32 could come to another one.
  counted_on = int(clips.actors.max()) + added.actors.astype(np.int64)
  before = clips.added
  if before is None:
    before = np.zeros(len(clips), bool)
  return dataclasses.replace(
    clips,
    features=features,
    lengths=lengths,
    labels=np.append(clips.labels, labels[added.labels].astype(np.int32)),
    actors=np.append(clips.actors, npz.whole_numbers('actors', counted_on)),
    clip_ids=np.append(clips.clip_ids, added.clip_ids),
    label_names=names,
    added=np.append(before, np.ones(len(added), bool)),
  )


def _load(dataset: str, data_dir: str | os.PathLike[str] | None) -> ClipSet:
  if pathlib.PurePath(dataset).suffix == '.npz':
    return ClipSet.from_npz(dataset)
  return ClipSet.from_tfds(dataset, data_dir)


def pad(
  rows: Sequence[np.ndarray], clips: int = 0, step_multiple: int = 1
) -> tuple[np.ndarray, np.ndarray]:
  """Stacks float[time, features] of clips of different lengths.

  There are at least so many `clips`, the others of no steps; the time is a
  multiple of `step_multiple`, where that is not 1, never 0. Returns
  float32[clips, time, features], zero-padded, and int32[clips] lengths.
  """
  lengths = np.zeros(max(clips, len(rows)), np.int32)
  lengths[: len(rows)] = [len(row) for row in rows]
  longest = max(int(lengths.max()), int(step_multiple > 1))
  time = step_multiple * -(-longest // step_multiple)
  padded = np.zeros((len(lengths), time, rows[0].shape[1]), np.float32)
  for clip, row in zip(padded, rows, strict=False):
    clip[: len(row)] = row
  return padded, lengths


def _fields(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """Reads the fields of a `ClipSet` from the arrays of an `.npz`."""
  present = [name for name in MODALITIES if name in arrays]
  wanted = [*_REQUIRED_KEYS, *(f'{name}_lengths' for name in present)]
  missing = [key for key in wanted if key not in arrays]
  if missing or not present:
    raise ValueError(
      f'lacks {", ".join(missing) or "video or audio"}; it has'
      f' {", ".join(arrays) or "nothing"}'
    )
  names, ids = (npz.texts(k, arrays[k]) for k in ('label_names', 'clip_ids'))
  sources = {
    k: npz.texts(f'{k}_source', arrays[f'{k}_source'])
    for k in present
    if f'{k}_source' in arrays
  }
  if names.ndim != 1 or any(source.ndim for source in sources.values()):
    raise ValueError('expected label_names str[labels], and each source a str')
  labels, actors, *lengths = (
    npz.whole_numbers(key, arrays[key])
    for key in ('labels', 'actors', *(f'{name}_lengths' for name in present))
  )
  return {
    'features': {k: _as_float32(k, arrays[k]) for k in present},
    'lengths': dict(zip(present, lengths, strict=True)),
    'labels': labels,
    'actors': actors,
    'clip_ids': ids,
    'label_names': tuple(names.tolist()),
    'sources': {k: source.item() for k, source in sources.items()},
  }


def _as_float32(name: str, rows: np.ndarray) -> np.ndarray:
  if rows.dtype.kind not in 'iuf':
    raise ValueError(f'{name}: expected numbers, float[…], got {rows.dtype}')
  with np.errstate(over='ignore'):  # `ClipSet` names the clip.
    return rows.astype(np.float32)


def _expect(name: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
  if array.shape != shape:
    raise ValueError(f'{name}: expected shape {shape}, got {array.shape}')


def _expect_between(name: str, array: np.ndarray, most: int) -> None:
  if array.min() < 0 or array.max() > most:
    raise ValueError(
      f'{name} must lie between 0 and {most}, got {array.min()} to'
      f' {array.max()}'
    )
