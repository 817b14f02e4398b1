"""Directories like those of trained folds, without training."""

import csv
import json
import types

import numpy as np
import pytest
from etils import epath
from fsspec.implementations import dirfs, local

from avemotion.data.folds import named
from avemotion.emotions import EMOTIONS
from avemotion.evaluation import metrics

ACTORS = 24


def write_run(
  workdir,
  *,
  protocol='random10',
  modalities=('audio',),
  folds=None,
  sources=None,
  label_names=EMOTIONS,
  skill=2.0,
  validation=False,
  epochs=12,
  dataset='ravdess/speech',
  data_digest='5ba3e1',
  together=True,
  enrol=(),
  scored='test',
  audio=types.MappingProxyType({}),
  batch_norm=True,
):
  """Writes `fold_K` for some folds (None: all of them) of one configuration."""
  config = {
    'data': {
      'protocol': protocol,
      'dataset': dataset,
      'data_dir': None,
      'enrol': list(enrol),
      'validation': 'scored' if scored == 'validation' else 'kept',
    },
    'model': {
      'modalities': list(modalities),
      'video': {'num_layers': 1, 'features': 512, 'num_inputs': None},
      'audio': {'num_layers': 3, 'features': 256, 'num_inputs': 13} | audio,
      'dense_features': 256,
      'batch_norm': batch_norm,
      'use_bias': False,
    },
    'epochs': epochs,
  }
  known = {'audio': 'MFCC', 'video': 'VGG16 features of face crops'}
  sources = sources or {name: known[name] for name in modalities}
  num_folds = named(protocol).num_folds
  folds = list(range(num_folds) if folds is None else folds)
  for fold in folds:
    _write_fold(
      workdir / f'fold_{fold}',
      {
        'protocol': protocol,
        'fold': fold,
        'modalities': list(modalities),
        'label_names': list(label_names),
        'epochs': epochs,
        'seconds': 60.0 + fold,
        'trained_together': folds if together else [fold],
        'data_digest': data_digest,
        'temperature': 1.0,
        'scored': scored,
        'sources': sources,
        'config': config,
      },
      _tested(protocol, fold, num_folds, len(label_names)),
      skill,
      validation,
    )
  return workdir


def rewrite(path, **values):
  """Changes values of a `result.json`; None removes one."""
  summary = json.loads(path.read_text()) | values
  path.write_text(
    json.dumps({key: v for key, v in summary.items() if v is not None})
  )


@pytest.fixture(name='write_run')
def _write_run():
  return write_run


@pytest.fixture(name='rewrite')
def _rewrite():
  return rewrite


def _tested(protocol, fold, num_folds, num_labels):
  """Yields actor, label and number of clips; two takes of each emotion."""
  clips = [
    (actor, label, take)
    for actor in range(1, ACTORS + 1)
    for label in range(num_labels)
    for take in range(2)
  ]
  if not named(protocol).shares_speakers:
    return [clip for clip in clips if clip[0] % num_folds == fold]
  every = 5 if num_folds == 1 else num_folds
  return [c for i, c in enumerate(clips) if (i // num_labels) % every == fold]


def _write_fold(directory, summary, clips, skill, validation):
  directory.mkdir(parents=True)
  names = summary['label_names']
  actors, labels, takes = np.array(clips).T
  rng = np.random.default_rng(summary['fold'])
  logits = rng.standard_normal((len(clips), len(names)))
  logits[np.arange(len(clips)), labels] += skill
  probabilities = np.exp(1.5 * logits)
  probabilities /= probabilities.sum(axis=1, keepdims=True)
  predictions = probabilities.argmax(axis=1)
  with (directory / 'predictions.csv').open('w', newline='') as file:
    writer = csv.writer(file)
    writer.writerow(['clip_id', 'actor', 'label', 'prediction', *names])
    for actor, label, take, prediction, row in zip(
      actors, labels, takes, predictions, probabilities, strict=True
    ):
      clip_id = f'{names[label]}-{take}-{actor:02d}'
      shares = [f'{share:.6f}' for share in row]
      writer.writerow(
        [clip_id, actor, names[label], names[prediction], *shares]
      )
  _write_curves(directory / 'metrics.jsonl', summary['epochs'], rng, validation)
  confusion = metrics.confusion_matrix(labels, predictions, len(names))
  summary = summary | {
    'num_test': len(clips),
    'accuracy': metrics.accuracy(confusion),
    'uar': metrics.unweighted_average_recall(confusion),
    'confusion': confusion.tolist(),
  }
  (directory / 'result.json').write_text(json.dumps(summary, indent=2))


def _write_curves(path, epochs, rng, validation):
  with path.open('w') as file:
    for epoch in range(1, epochs + 1):
      left = np.exp(-4 * epoch / epochs) + rng.normal(0, 0.02)
      values = {
        'epoch': epoch,
        'step': 40 * epoch,
        'train_loss': 0.5 + 1.6 * left,
        'train_accuracy': 1 - 0.85 * left,
      }
      if validation:
        values['validation_loss'] = 0.9 + 1.2 * left
        values['validation_accuracy'] = 0.8 - 0.65 * left
      file.write(json.dumps(values) + '\n')


class _Bucket(dirfs.DirFileSystem):
  """Local folder as the file system of gs://."""

  protocol = ('gs', 'gcs')


@pytest.fixture
def bucket(tmp_path, monkeypatch):
  """Returns gs://bucket, and its local folder."""
  folder = tmp_path / 'cloud'
  (folder / 'bucket').mkdir(parents=True)
  files = _Bucket(str(folder), local.LocalFileSystem())
  backend = epath.backend.fsspec_backend
  monkeypatch.setattr(backend, '_get_filesystem', lambda _: files)
  # With TensorFlow installed, epath would use its client, which asks Google.
  monkeypatch.setattr(epath.gpath, '_is_tf_installed', lambda: False)
  return folder / 'bucket'
