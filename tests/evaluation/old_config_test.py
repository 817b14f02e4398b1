"""Tests of results of earlier versions."""

import json

from avemotion.evaluation import runs

OLD_MODEL = {
  'modalities': ['audio'],
  'video_layers': 1,
  'video_features': 512,
  'audio_layers': 3,
  'audio_features': 256,
  'audio_coefficients': 13,
  'video_centre': False,
  'audio_centre': False,
  'audio_differences': False,
  'dense_features': 256,
  'batch_norm': True,
  'use_bias': False,
}


def test_folds_of_an_old_and_a_new_version_are_one_run(tmp_path, write_run):
  branches = {'cmn': False, 'deltas': False}
  write_run(tmp_path / 'old', folds=range(4), together=False)
  write_run(tmp_path / 'new', folds=range(4, 10), together=False)
  for path in (tmp_path / 'new').glob('*/result.json'):
    summary = json.loads(path.read_text())
    summary['config']['model'] |= {'recurrence': 'auto'}
    for name in ('video', 'audio'):
      summary['config']['model'][name] |= branches
    path.write_text(json.dumps(summary))
  for path in (tmp_path / 'old').glob('*/result.json'):
    summary = json.loads(path.read_text())
    summary['config']['model'] = OLD_MODEL
    path.write_text(json.dumps(summary))
  (run,) = runs.read_runs([tmp_path / 'old', tmp_path / 'new'])
  assert len(run.folds) == 10
  assert run.config['model']['audio']['num_layers'] == 3
