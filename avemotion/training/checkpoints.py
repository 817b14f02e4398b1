"""Checkpoints of trained models and of unfinished runs, by orbax.

If several processes train, all of them call each function here, with the same
directory, which all of them must reach.
"""

import contextlib
import errno
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import flax.struct
import jax
import numpy as np
from etils import epath
from jax.sharding import NamedSharding, PartitionSpec
from orbax.checkpoint import v1 as ocp

from avemotion.data import files
from avemotion.training import processes
from avemotion.training.selection import BestEpochs
from avemotion.training.trained_model import (
  CheckpointError,
  TrainedModel,
  check_same_shapes,
)

_FORMAT = 'avemotion/2'
_DIRECTORY = 'checkpoint'
_SNAPSHOTS = 'training'
_LONGEST_REASON = 200  # characters; orbax's errors quote whole specifications
_ORBAX_MARK = 'orbax.checkpoint'  # in every complete orbax directory
_UNREADABLE = 'the unfinished run cannot be read'
_ADVICE = '; remove this directory to train from the start'


class Snapshot(flax.struct.PyTreeNode):
  """Unfinished run, which resumes from here without a change of its results.

  Attributes:
    epoch: number of epochs done.
    folds: folds that train together, in the order of the arrays.
    seconds: wall time so far.
    best: each fold's best epoch so far.
    state: arrays [slots, …] on the devices, padding behind the folds.
    best_variables: likewise, of each fold's best epoch.
  """

  epoch: int
  folds: tuple[int, ...] = flax.struct.field(pytree_node=False)
  seconds: float
  best: BestEpochs
  state: Any
  best_variables: Any


def save(workdir: str | os.PathLike[str], model: TrainedModel) -> epath.Path:
  """Writes a checkpoint into a fold's directory, and returns its path.

  An older checkpoint is replaced once the new one is complete.

  Raises:
    CheckpointError: the checkpoint cannot be written, as on a full disk.
  """
  path = files.as_path(workdir) / _DIRECTORY
  variables = jax.tree.map(np.asarray, dict(model.variables))
  metadata = {'format': _FORMAT, 'digest': _digest(variables)}
  with _told(f'{path}: cannot be written'):
    _check_room(path, variables)
    ocp.save(
      path,
      variables,
      overwrite=True,
      custom_metadata=metadata | model.metadata(),
    )
  return path


def load(directory: str | os.PathLike[str]) -> TrainedModel:
  """Reads a checkpoint, or the one in a fold's directory, into NumPy arrays.

  Raises:
    CheckpointError: the checkpoint is missing, damaged or of another model.
  """
  path = files.as_path(directory)
  if (path / _DIRECTORY).is_dir():
    path = path / _DIRECTORY
  with _told(f'{path}: does not hold the model that it describes'):
    metadata = _metadata(path)
    stored = jax.tree.map(np.asarray, ocp.load(path))
    # Earlier versions stored none.
    if metadata.get('digest', found := _digest(stored)) != found:
      raise ValueError(
        'its arrays differ from those that were saved: it is damaged'
      )
    return TrainedModel.restored(metadata, stored)


def save_snapshot(
  directory: str | os.PathLike[str], snapshot: Snapshot
) -> None:
  """Writes an unfinished run into its directory, or that of its only fold.

  The previous snapshot is removed once this one is complete.

  Raises:
    CheckpointError: the snapshot cannot be written, as on a full disk.
  """
  path = files.as_path(directory) / _SNAPSHOTS
  tree = {'state': snapshot.state, 'best': snapshot.best_variables}
  # Each process has its own slots.
  digests = processes.gather(_slot_digests(tree)).max(axis=0)
  # Not by orbax's `Checkpointer`: if it fails in one process, that process
  # waits 20 minutes for the others before it raises (orbax 0.12).
  with _told(f'{path}: cannot be written'):
    _check_room(path, tree)
    ocp.save(
      path / str(snapshot.epoch),
      tree,
      overwrite=True,
      custom_metadata={
        'folds': list(snapshot.folds),
        'slots': len(snapshot.state.step),
        'digests': [row.tobytes().hex() for row in digests],
        'seconds': snapshot.seconds,
        'best_epochs': snapshot.best.epochs.tolist(),
        # JSON has no infinity.
        'best_losses': [
          x if np.isfinite(x) else None for x in snapshot.best.losses.tolist()
        ],
      },
    )
    if jax.process_index() == 0:
      for other in path.iterdir():
        if other.name != str(snapshot.epoch):
          other.rmtree()


def discard_snapshots(directory: str | os.PathLike[str]) -> None:
  """Removes the snapshots of an unfinished run, if there are any."""
  (files.as_path(directory) / _SNAPSHOTS).rmtree(missing_ok=True)


def saved_folds(directory: str | os.PathLike[str]) -> tuple[int, ...]:
  """Reads the folds of the unfinished run in a directory, if there is one.

  Raises:
    CheckpointError: the snapshot is damaged.
  """
  path = files.as_path(directory) / _SNAPSHOTS
  with _told(f'{path}: {_UNREADABLE}', _ADVICE):
    latest = _latest(path)
    return tuple(_progress(path, latest)['folds']) if latest else ()


def load_snapshot(
  directory: str | os.PathLike[str], like: Snapshot
) -> Snapshot:
  """Reads the latest snapshot of a run onto the devices.

  `like` is the same run before its first epoch. With as many slots, the arrays
  are spread over the devices like those of `like`; otherwise, as after a start
  on other devices, each device has a copy.

  Raises:
    CheckpointError: the snapshot is damaged, or of another model.
  """
  path = files.as_path(directory) / _SNAPSHOTS
  with _told(f'{path}: {_UNREADABLE}', _ADVICE):
    epoch = _latest(path)
    progress = _progress(path, epoch)
    # Earlier versions saved no padding.
    slots = progress.get('slots', len(progress['folds']))
    expected = jax.tree.map(
      lambda leaf: _in_slots(leaf, slots),
      {'state': like.state, 'best': like.best_variables},
    )
    tree = ocp.load(path / str(epoch), expected)
    check_same_shapes(tree, expected)
    _check_slots(tree, progress.get('digests', []))
    losses = [np.inf if x is None else x for x in progress['best_losses']]
    return Snapshot(
      epoch=epoch,
      folds=tuple(progress['folds']),
      seconds=float(progress['seconds']),
      best=BestEpochs(np.array(progress['best_epochs']), np.array(losses)),
      state=tree['state'],
      best_variables=tree['best'],
    )


def _in_slots(leaf: jax.Array, slots: int) -> jax.ShapeDtypeStruct:
  """Describes an array [slots, …]; a copy on each device if slots differ."""
  sharding: Any = leaf.sharding
  if slots != len(leaf):
    sharding = NamedSharding(sharding.mesh, PartitionSpec())
  shape = slots, *leaf.shape[1:]
  return jax.ShapeDtypeStruct(shape, leaf.dtype, sharding=sharding)


def _digest(tree: Any) -> str:
  """Computes SHA-256 of arrays, their names, dtypes and shapes."""
  whole = hashlib.sha256()
  for name, leaf in _named(tree):
    whole.update(f'{name} {leaf.dtype} {leaf.shape}'.encode())
    whole.update(leaf.tobytes())
  return whole.hexdigest()


def _slot_digests(tree: Any) -> np.ndarray:
  """Computes each slot's SHA-256, uint8[slots, 32]; 0 for other processes'."""
  leaves = _named(tree)
  digests = np.zeros((len(leaves[0][1]), 32), np.uint8)
  rows: list[dict[str, np.ndarray]] = [{} for _ in digests]
  for name, leaf in leaves:
    for shard in leaf.addressable_shards:
      slots = range(len(digests))[shard.index[0]]
      for slot, row in zip(slots, np.asarray(shard.data), strict=True):
        rows[slot].setdefault(name, row)
  for slot, own in enumerate(rows):
    if own:
      digests[slot] = np.frombuffer(bytes.fromhex(_digest(own)), np.uint8)
  return digests


def _check_slots(tree: Any, digests: Sequence[str]) -> None:
  """Compares this process's slots with the digests that were saved, if any."""
  for found, saved in zip(_slot_digests(tree), digests, strict=False):
    if found.any() and found.tobytes().hex() != saved:
      raise ValueError(
        'its arrays differ from those that were saved: it is damaged'
      )


def _named(tree: Any) -> list[tuple[str, Any]]:
  return [
    (jax.tree_util.keystr(path, simple=True, separator='/'), leaf)
    for path, leaf in jax.tree.leaves_with_path(tree)
  ]


def _check_room(path: epath.Path, tree: Any) -> None:
  """Refuses a full disk; orbax would log a traceback from each thread."""
  if '://' in os.fspath(path) or jax.process_count() > 1:
    return
  files.make_directory(path.parent)
  free = shutil.disk_usage(path.parent).free
  needed = sum(leaf.nbytes for leaf in jax.tree.leaves(tree))
  if free < needed:
    raise OSError(
      errno.ENOSPC,
      f'No space left on device: needs {needed:,} bytes, has {free:,}',
    )


def _latest(path: epath.Path) -> int:
  """Finds the last epoch with a complete snapshot; 0: none."""
  found = ocp.path.step.standard_name_format().find_all(path)
  return max((snapshot.step for snapshot in found), default=0)


def _progress(path: epath.Path, epoch: int) -> Mapping[str, Any]:
  return ocp.metadata(path / str(epoch)).custom_metadata


@contextlib.contextmanager
def _told(failure: str, advice: str = '') -> Iterator[None]:
  """Raises any error as a `CheckpointError` that names what failed."""
  try:
    yield
  except CheckpointError:
    raise
  except Exception as error:  # Each bucket client has errors of its own.
    reason = (str(error) or repr(error)).splitlines()[0][:_LONGEST_REASON]
    raise CheckpointError(f'{failure} ({reason}){advice}') from error


def _metadata(path: epath.Path) -> Mapping[str, Any]:
  if not path.is_dir():
    raise CheckpointError(
      f'{path}: no such checkpoint directory; expected a directory that'
      ' `avemotion train` wrote, such as WORKDIR/fold_0'
    )
  if not (path / _ORBAX_MARK).exists():
    raise CheckpointError(
      f'{path}: no checkpoint in it; expected a directory that'
      ' `avemotion train` wrote, such as WORKDIR/fold_0'
    )
  metadata = ocp.checkpointables_metadata(path).custom_metadata
  if not isinstance(metadata, dict) or metadata.get('format') != _FORMAT:
    raise CheckpointError(
      f'{path}: an orbax checkpoint, but not one of {_FORMAT}; expected one'
      ' that `avemotion train` wrote'
    )
  return metadata
