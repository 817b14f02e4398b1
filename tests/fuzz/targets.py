"""Fuzz targets: readers of files, each with good files to damage."""

import json
import pathlib
import shutil
from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Target(NamedTuple):
  """A reader to fuzz.

  Attributes:
    seeds: writes good files or directories to a folder, and lists them.
    read: reads one of them; a damaged one must raise a `ValueError` or an
      `OSError`, the base classes of all errors of the project.
  """

  seeds: Callable[[pathlib.Path], list[pathlib.Path]]
  read: Callable[[pathlib.Path], object]


def _media_seeds(folder):
  import av

  from avemotion.synthetic import corpus

  made = []
  for suffix in ('.mp4', '.mkv', '.webm', '.avi', '.mpg', '.wav'):
    path = folder / f'clip{suffix}'
    corpus.make_clip(path, 'happy', 1, seconds=0.4, size=(64, 48))
    made.append(path)
  tone = np.float32(0.3 * np.sin(np.arange(24_000) / 10))[None]
  for name, codec in (('mp3', 'mp3'), ('m4a', 'aac'), ('flac', 'flac')):
    path = folder / f'sound.{name}'
    with av.open(str(path), 'w') as container:
      stream = container.add_stream(codec, rate=48_000, layout='mono')
      resampler = av.AudioResampler(stream.format.name, 'mono', 48_000)
      frame = av.AudioFrame.from_ndarray(tone, 'fltp', 'mono')
      frame.sample_rate = 48_000
      fifo = av.AudioFifo()
      for each in resampler.resample(frame):
        fifo.write(each)
      while piece := fifo.read(stream.frame_size or 4096, partial=True):
        container.mux(stream.encode(piece))
      container.mux(stream.encode(None))
    made.append(path)
  return made


def _read_media(path):
  from avemotion.features import containers, media

  found = containers.contents(path)
  notes: list[str] = []
  if found.pictures:
    with media.read_frames(path, notes) as frames:
      for seconds, _ in frames:
        assert 0 <= abs(seconds) < 2000
  if found.sounds:
    total = sum(piece.size for piece in media.read_pieces(path, notes))
    assert total < 48_000 * 2000
  return notes


def _npz_seeds(folder):
  arrays = {
    'audio': np.random.default_rng(0).normal(size=(6, 4, 13)).astype('f4'),
    'audio_lengths': np.full(6, 4),
    'labels': np.arange(6) % 2,
    'actors': np.arange(6),
    'clip_ids': np.array([f'c{i}' for i in range(6)]),
    'label_names': np.array(['calm', 'ärger']),
  }
  np.savez(folder / 'plain.npz', **arrays)
  np.savez_compressed(folder / 'packed.npz', **arrays)
  return [folder / 'plain.npz', folder / 'packed.npz']


def _read_npz(path):
  from avemotion.data.clips import ClipSet

  return len(ClipSet.from_npz(path).labels)


def _small_model():
  from tests.small_model import make_model

  return make_model()


def _weights_seeds(folder):
  from avemotion.training import weights

  path = folder / 'model.npz'
  weights.save(path, _small_model(), ['a', 'b'])
  return [path]


def _read_weights(path):
  from avemotion.training import weights

  return weights.load(path), weights.trained_on(path)


def _checkpoint_seeds(folder):
  from avemotion.training import checkpoints

  checkpoints.save(folder / 'fold_0', _small_model())
  return [folder / 'fold_0']


def _read_checkpoint(path):
  from avemotion.training import checkpoints

  return checkpoints.load(path)


def _config_seeds(folder):
  from avemotion.training import config

  path = folder / 'config.json'
  path.write_text(json.dumps(config.to_dict(config.Config())))
  return [path]


def _read_config(path):
  from avemotion.training import config

  return config.from_dict(json.loads(path.read_bytes()))


def _list_seeds(folder):
  clips = folder / 'clips'
  clips.mkdir(exist_ok=True)
  for number in range(4):
    (clips / f'{number}.wav').write_bytes(b'RIFF')
  path = folder / 'labels.csv'
  rows = [
    f'{number}.wav,{"ab"[number % 2]},speaker {number}' for number in range(4)
  ]
  path.write_text('\n'.join(['file,label,group', *rows]) + '\n')
  return [path]


def _read_list(path):
  from avemotion.datasets import labelling

  return labelling.by_list(path.parent / 'clips', path, ['audio'])


def _upload_seeds(folder):
  path = folder / 'upload.json'
  (folder / 'inside.wav').write_bytes(b'RIFF')
  path.write_text(
    json.dumps({'path': str(folder / 'inside.wav'), 'orig_name': 'a.wav'})
  )
  return [path]


def _read_upload(path):
  from avemotion.apps import uploads

  told = json.loads(path.read_bytes())
  if not isinstance(told, dict):
    raise ValueError('no upload')
  found = uploads.find(path.parent, told.get('path'))
  if found is not None:  # No file outside the folder.
    assert path.parent.resolve() in found.resolve().parents
  return found


def _shard_seeds(folder):
  from avemotion.datasets import prepare
  from avemotion.synthetic import corpus
  from tfds_ravdess.ravdess_dataset_builder import Builder

  corpus.make_corpus(
    folder / 'corpus',
    actors=(1,),
    emotions=('happy', 'sad'),
    statements=(1,),
    seconds=0.5,
  )
  prepare.prepare(
    Builder(config='speech_audio', data_dir=folder / 'data'), folder / 'corpus'
  )
  return [folder / 'data']


def _read_shards(path):
  from avemotion.data.clips import ClipSet

  return len(ClipSet.from_tfds('ravdess/speech_audio', path).labels)


TARGETS = {
  'media': Target(_media_seeds, _read_media),
  'npz': Target(_npz_seeds, _read_npz),
  'weights': Target(_weights_seeds, _read_weights),
  'checkpoints': Target(_checkpoint_seeds, _read_checkpoint),
  'shards': Target(_shard_seeds, _read_shards),
  'configurations': Target(_config_seeds, _read_config),
  'lists': Target(_list_seeds, _read_list),
  'uploads': Target(_upload_seeds, _read_upload),
}
# Share of each target in all cases.
SHARES = {
  'media': 0.4,
  'npz': 0.15,
  'weights': 0.1,
  'checkpoints': 0.05,
  'shards': 0.05,
  'configurations': 0.1,
  'lists': 0.1,
  'uploads': 0.05,
}


def copied(seed: pathlib.Path, place: pathlib.Path) -> pathlib.Path:
  """Copies a file or directory; returns the copy."""
  copy = place / seed.name
  if seed.is_dir():
    shutil.copytree(seed, copy, dirs_exist_ok=True)
  else:
    shutil.copyfile(seed, copy)
  return copy
