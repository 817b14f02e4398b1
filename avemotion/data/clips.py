"""Data set of clips as padded arrays with lengths.

Read from TFDS, or without TensorFlow from an `.npz` file of features.
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

COPY = '~'  # Separates a clip's id from a suffix in the id of a changed copy.
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
    sources: description of each modality's features, by default 'unnamed
      features'.
    added: bool[clips], clips of other data sets, for training only; None: none.
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
        'expected a data set with clips, label names and at least one modality;'
        f' got {clips} clips, {len(self.label_names)} label names and'
        f' {len(self.features)} modalities'
      )
    for name in ('labels', 'actors', 'clip_ids'):
      _expect(name, getattr(self, name), (clips,))
    for name in ('clip_ids', 'label_names'):
      names, counts = np.unique(getattr(self, name), return_counts=True)
      if counts.max() > 1:
        raise ValueError(
          f'{name}: expected distinct names, got {names[counts.argmax()]} twice'
        )
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
          f'{modality}: expected finite float32 values, got others in clip'
          f' {clip}'
        )
    _expect_between('labels', self.labels, len(self.label_names) - 1)
    said = self.sources
    sources = {k: said.get(k, UNNAMED) for k in self.features}
    object.__setattr__(self, 'sources', sources)

  def __len__(self) -> int:
    return len(self.labels)

  @property
  def feature_dims(self) -> dict[str, int]:
    """Number of features of each modality."""
    return {name: rows.shape[-1] for name, rows in self.features.items()}

  @property
  def divided(self) -> np.ndarray:
    """Mask of the clips that a protocol divides, bool[clips].

    The others are for training only: `added` clips, and changed copies of
    clips, whose ids are those of the clips plus '~' and a suffix.
    """
    copies = np.char.find(self.clip_ids, COPY) >= 0
    return ~copies if self.added is None else ~(copies | self.added)

  def describe(self) -> str:
    """Describes the data set in a line, and each modality in another."""
    lines = [f'{len(self)} clips']
    for name, size in self.feature_dims.items():
      fewest, most = self.lengths[name].min(), self.lengths[name].max()
      lines.append(
        f'  {name}: {self.sources[name]}; {size} numbers a row, {fewest} to'
        f' {most} rows a clip'
      )
    return '\n'.join(lines)

  def select(self, modalities: tuple[str, ...]) -> Self:
    """Returns the same clips with these modalities only.

    Raises:
      ValueError: the data set lacks one of the modalities.
    """
    missing = [name for name in modalities if name not in self.features]
    if missing:
      raise ValueError(
        f'expected a data set with {", ".join(modalities)}, got only'
        f' {", ".join(self.features)}; set --config.model.modalities'
      )
    return dataclasses.replace(
      self,
      features={name: self.features[name] for name in modalities},
      lengths={name: self.lengths[name] for name in modalities},
    )

  def take(self, indices: np.ndarray) -> Self:
    """Returns the clips at int[n] indices, in that order."""
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
    """Reads a data set from an `.npz` of features; needs only NumPy.

    The keys are `labels` int[clips], `actors` int[clips], `clip_ids`
    str[clips], `label_names` str[labels], and `video` or `audio` or both,
    float[clips, time, features], with `video_lengths` or `audio_lengths`,
    int[clips]. Optional: `video_source` and `audio_source`, str, descriptions
    of the features.

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
    """Reads all splits of a prepared TFDS data set, 'ravdess/speech_audio'.

    `data_dir` is the directory of the prepared data; None: TFDS's default, and
    for 'ravdess/bundled' the package.

    Raises:
      ValueError: the data set is not prepared there, or a shard is damaged.
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
    """Writes the file that `from_npz` reads; raises as `npz.write`."""
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

  Joins several, as in 'ravdess/speech_encoder+nemo/speech_encoder', by `join`.
  `data_dir` is as for `ClipSet.from_tfds`. Raises as `ClipSet.from_npz`,
  `ClipSet.from_tfds` and `join`.
  """
  first, *others = dataset.split('+')
  found = _load(first, data_dir)
  for name in others:
    found = join(found, _load(name, data_dir))
  return found


def join(clips: ClipSet, added: ClipSet) -> ClipSet:
  """Adds the clips of another data set, for training only.

  Its actors are renumbered after those of the first. A modality that the first
  lacks is dropped; one that only the first has gets length 0.

  Raises:
    ValueError: a modality has other features, or both data sets have a clip id.
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
  # In int64, since the sum may overflow int32.
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
  """Stacks clips float[time, features] of different lengths.

  Adds empty clips up to `clips`, and pads time to a multiple of
  `step_multiple` (at least one, if it is above 1). Returns float32[clips, time,
  features], zero-padded, and int32[clips] lengths.
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
      f'expected {", ".join(missing) or "video or audio"}, got only'
      f' {", ".join(arrays) or "nothing"}'
    )
  names, ids = (npz.texts(k, arrays[k]) for k in ('label_names', 'clip_ids'))
  sources = {
    k: npz.texts(f'{k}_source', arrays[f'{k}_source'])
    for k in present
    if f'{k}_source' in arrays
  }
  if names.ndim != 1 or any(source.ndim for source in sources.values()):
    raise ValueError(
      'expected label_names str[labels] and sources str, got another shape'
    )
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
      f'{name}: expected 0 to {most}, got {array.min()} to {array.max()}'
    )
