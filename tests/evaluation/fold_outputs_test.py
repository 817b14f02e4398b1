"""A fold's files are read as they are, or refused by name."""

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
  assert outputs.workdir == fold.parent
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
    ({'sources': None}, "lacks 'sources'"),
    ({'data_digest': None}, "lacks 'data_digest'"),
    ({'trained_together': None}, "lacks 'trained_together'"),
    ({'trained_together': [1, 2]}, 'without fold 3 itself'),
    ({'label_names': 'calm'}, "'label_names' cannot be 'calm'"),
    ({'label_names': [1, 2]}, 'to be words'),
    ({'protocol': 'mine'}, "no protocol 'mine'"),
    ({'protocol': 'actor5'}, "'random10' in its 'config'"),
    ({'fold': 10}, 'folds 0 to 9, not 10'),
    ({'fold': 4, 'trained_together': [4]}, 'of fold 4, but lies in fold_3'),
    ({'config': {'data': {}}}, "'config' is not whole"),
    ({'sources': {'video': 'VGG16'}}, "'sources' tells of"),
    ({'num_test': 7}, "'num_test' is 7"),
    ({'accuracy': 0.99}, "'accuracy' is 0.99, but predictions.csv"),
    ({'accuracy': float('nan')}, "'accuracy' is nan"),
    ({'uar': 0.5}, "'uar' is 0.5"),
    ({'confusion': [[1]]}, "'confusion'"),
    ({'scored': 'validation'}, 'not a result'),
    ({'scored': []}, 'not a result'),
  ],
)
def test_a_result_that_cannot_be_is_refused(fold, rewrite, values, message):
  rewrite(fold / 'result.json', **values)
  with pytest.raises(ReportError, match=r'result\.json') as caught:
    fold_outputs.read_fold(fold)
  assert message in str(caught.value)


def lines_of(path):
  header, *lines = path.read_text().splitlines()
  return header.split(','), [line.split(',') for line in lines]


def write_lines(path, header, lines):
  rows = [header, *lines]
  path.write_text('\n'.join(','.join(map(str, row)) for row in rows))


@pytest.mark.parametrize(
  ('column', 'value', 'message'),
  [
    (0, 'sad-1-24', 'a clip is named twice'),
    (1, 'one', 'line 2'),
    (2, 'bored', "line 2 is damaged (KeyError('bored'))"),
    (3, '', 'line 2'),
    (4, 'high', 'line 2'),
  ],
)
def test_a_row_that_cannot_be_is_refused(fold, column, value, message):
  path = fold / 'predictions.csv'
  header, lines = lines_of(path)
  lines[0][column] = value
  lines[1][column] = value
  write_lines(path, header, lines)
  with pytest.raises(ReportError, match=r'predictions\.csv') as caught:
    fold_outputs.read_fold(fold)
  assert message in str(caught.value)


@pytest.mark.parametrize('column', ['clip_id', 'actor', 'prediction', 'calm'])
def test_a_column_that_is_not_there_is_named(fold, column):
  path = fold / 'predictions.csv'
  header, lines = lines_of(path)
  renamed = ['other' if name == column else name for name in header]
  write_lines(path, renamed, lines)
  with pytest.raises(ReportError, match=rf"lacks the columns \['{column}'\]"):
    fold_outputs.read_fold(fold)


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    (lambda row: [1.5, *row[1:]], 'not shares of one'),
    (lambda row: ['nan', *row[1:]], 'not shares of one'),
    (lambda row: row[::-1], 'not the most probable'),
  ],
)
def test_probabilities_that_cannot_be_are_refused(fold, change, message):
  path = fold / 'predictions.csv'
  header, lines = lines_of(path)
  write_lines(path, header, [[*row[:4], *change(row[4:])] for row in lines])
  with pytest.raises(ReportError, match=message):
    fold_outputs.read_fold(fold)
