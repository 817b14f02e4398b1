"""Tests of reading a fold's files, and damaged ones."""

import numpy as np
import pytest

from avemotion.emotions import EMOTIONS
from avemotion.evaluation import fold_outputs, metrics
from avemotion.evaluation.fold_outputs import ReportError


@pytest.fixture
def fold(tmp_path, write_run):
  return write_run(tmp_path / 'run', folds=[3]) / 'fold_3'


def test_what_is_written_is_read(fold):
  outputs = fold_outputs.read_fold(fold)
  assert (outputs.number, outputs.protocol) == (3, 'random10')
  assert len(outputs.clip_ids) == outputs.summary['num_test']
  assert outputs.confusion.tolist() == outputs.summary['confusion']
  assert outputs.probabilities.shape == (len(outputs.labels), 8)
  assert outputs.curves['epoch'].tolist() == list(range(1, 13))


def test_labels_are_counted_in_the_papers_order(tmp_path, write_run):
  names = tuple(sorted(EMOTIONS))
  run = write_run(tmp_path, folds=[0], label_names=names)
  outputs = fold_outputs.read_fold(run / 'fold_0')
  assert outputs.label_names == EMOTIONS
  emotions = [EMOTIONS[label] for label in outputs.labels]
  assert emotions == [clip.split('-')[0] for clip in outputs.clip_ids]
  assert metrics.unweighted_average_recall(outputs.confusion) == pytest.approx(
    outputs.summary['uar']
  )


def test_an_epoch_run_again_counts_as_it_went_last(fold):
  path = fold / 'metrics.jsonl'
  text = path.read_text()
  line = '{"epoch": 12, "train_loss": 9, "train_accuracy": null}\n'
  path.write_text(text + line)
  curves = fold_outputs.read_fold(fold).curves
  assert len(curves['epoch']) == 12
  assert curves['train_loss'][-1] == 9
  assert np.isnan(curves['train_accuracy'][-1])


def test_a_metric_that_begins_late_is_read(fold):
  line = '{"epoch": 13, "train_loss": 1, "validation_loss": 2}\n'
  with (fold / 'metrics.jsonl').open('a') as file:
    file.write(line)
  curve = fold_outputs.read_fold(fold).curves['validation_loss']
  assert np.isnan(curve[:12]).all()
  assert curve[12] == 2


def test_text_of_any_script_is_read(fold):
  path = fold / 'predictions.csv'
  lines = path.read_text().splitlines()
  _, *values = lines[1].split(',')
  lines[1] = ','.join(['Łódź/ä\u2028\x85ß', *values])
  path.write_text('\n'.join(lines), encoding='utf-8')
  assert fold_outputs.read_fold(fold).clip_ids[0] == 'Łódź/ä\u2028\x85ß'


@pytest.mark.parametrize(
  'name', ['result.json', 'predictions.csv', 'metrics.jsonl']
)
@pytest.mark.parametrize('fault', ['gone', 'empty', 'cut', 'binary', 'other'])
def test_a_damaged_file_is_named(fold, name, fault):
  path = fold / name
  data = path.read_bytes()
  if fault == 'gone':
    path.unlink()
  else:
    path.write_bytes(
      {
        'empty': b'',
        'cut': data[: len(data) // 2 - 3],
        'binary': b'\xff\xfe\x00' + data,
        'other': b'[1, 2]\n',
      }[fault]
    )
  with pytest.raises(ReportError, match=name.replace('.', r'\.')):
    fold_outputs.read_fold(fold)


@pytest.mark.parametrize(
  ('values', 'message'),
  [
    ({'sources': None}, "value of 'sources', None"),
    ({'data_digest': None}, "value of 'data_digest', None"),
    ({'label_names': 'calm'}, "value of 'label_names', 'calm'"),
    ({'fold': 4}, 'of fold_3, got one of fold 4'),
    ({'confusion': [[1]]}, "'confusion' differs from that of predictions.csv"),
    ({'num_test': 0}, 'this fold has no test clips, so it has no score'),
    ({'scored': 'validation'}, 'got scores of validation clips'),
  ],
)
def test_a_result_that_cannot_be_is_refused(fold, rewrite, values, message):
  rewrite(fold / 'result.json', **values)
  with pytest.raises(ReportError, match=r'result\.json') as caught:
    fold_outputs.read_fold(fold)
  assert message in str(caught.value)


@pytest.mark.parametrize(
  ('old', 'new', 'message'),
  [
    ('clip_id', 'other', 'clip_id'),
    (',calm,', ',other,', 'calm'),
    ('prediction', 'other', 'prediction'),
  ],
)
def test_predictions_of_another_form_are_named(fold, old, new, message):
  path = fold / 'predictions.csv'
  path.write_text(path.read_text().replace(old, new, 1))
  with pytest.raises(ReportError, match=r'predictions\.csv') as caught:
    fold_outputs.read_fold(fold)
  assert message in str(caught.value)
