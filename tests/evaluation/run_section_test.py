"""Tests of a report's section on one run."""

import re

import pytest

from avemotion.evaluation import run_section, runs, scores


@pytest.fixture
def section(tmp_path, write_run):
  """Returns a function that writes the section of a run."""

  def write(**changes):
    (run,) = runs.read_runs([write_run(tmp_path / 'run', **changes)])
    return run_section.write(scores.score(run), 'run')

  return write


def cells(text, name):
  """Returns the cells of the first row that begins with a text."""
  (line, *_) = [row for row in text.splitlines() if row.startswith(f'| {name}')]
  return [cell.strip() for cell in line.strip('|').split('|')]


def test_ours_stands_above_the_papers_and_peoples(section):
  text = section()
  _, accuracy, interval, _, _ = cells(text, 'ours, mean of 10 folds')
  assert re.fullmatch(r'\d\d\.\d ± \d\.\d%', accuracy)
  assert re.fullmatch(r'\d\d\.\d–\d\d\.\d%', interval)
  assert cells(text, 'the paper, Table II, other protocol')[1] == '80%'
  assert cells(text, 'humans')[:2] == ['humans, audio of RAVDESS', '62%']
  assert 'speakers are shared between training and\n  test.' in text
  assert 'audio from MFCC' in text
  assert '`ravdess/speech` (digest 5ba3e1), 384 test clips of 24' in text
  assert 'a random 80/20 split' in text


def words(text):
  return ' '.join(text.split())


def test_the_text_says_what_the_interval_is_of(section):
  text = words(section())
  assert 'interval of the mean over folds, by bootstrap over actors' in text
  assert 'Scores are means over folds, ± their standard deviation.' in text


def test_the_interval_of_one_fold_is_of_its_score(section):
  text = words(section(protocol='random80'))
  assert 'interval of the score, by bootstrap over actors' in text


@pytest.mark.parametrize(
  ('changes', 'expected'),
  [
    # `seconds` are 60 plus the fold's number, for folds that trained together.
    ({}, '12 epochs, 69 seconds.'),
    ({'protocol': 'random80'}, '12 epochs, 60 seconds.'),
    ({'together': False}, '12 epochs, 645 seconds in 10 programs.'),
  ],
)
def test_seconds_are_of_what_trained_together(section, changes, expected):
  assert expected in words(section(**changes))


def test_the_papers_own_protocol_has_no_deviation_and_no_caveat(section):
  text = section(protocol='random80')
  assert '±' not in text
  assert re.fullmatch(r'\d\d\.\d%', cells(text, 'ours')[1])
  assert cells(text, 'the paper, Table II')[0] == 'the paper, Table II'


def test_landmarks_are_not_vgg16(section):
  text = section(
    modalities=('video', 'audio'),
    sources={'video': '68 face landmarks', 'audio': 'MFCC'},
  )
  assert cells(text, 'the paper, Table III')[:2] == [
    'the paper, Table III, other features',
    '90%',
  ]
  assert 'video from 68 face landmarks; audio from MFCC' in text
  assert cells(text, 'humans, video and audio of RAVDESS')[1] == '80%'


def test_enrolled_speakers_are_told_of(section):
  text = words(section(enrol=('video', 'audio')))
  assert 'every speaker is enrolled with the mean of their own' in text
  assert 'unlabelled clips (video and audio).' in text


def test_recalls_and_folds_are_listed(section):
  text = section(protocol='actor5', label_names=('happy', 'sad', 'bored'))
  for name in ('happy', 'sad', 'bored'):
    assert cells(text, name)[1] == '48'
  assert [cells(text, str(fold))[0] for fold in range(5)] == list('01234')
  assert 'other protocol, other classes' in text
  assert cells(text, 'humans')[0] == 'humans, audio of RAVDESS, other classes'
  # Folds have 4 or 5 actors: the mean over folds differs from the pooled one.
  assert cells(text, 'ours, all test clips pooled')[1].endswith('%')


def test_a_fitted_temperature_is_told(tmp_path, write_run, rewrite):
  workdir = write_run(tmp_path, protocol='random80')
  rewrite(workdir / 'fold_0' / 'result.json', temperature=1.3)
  (run,) = runs.read_runs([workdir])
  text = run_section.write(scores.score(run), 'run')
  assert 'temperature fitted on validation clips' in ' '.join(text.split())


def test_the_confidence_that_an_accuracy_takes_is_told(tmp_path, write_run):
  (run,) = runs.read_runs([write_run(tmp_path / 'run', protocol='random80')])
  scored = scores.score(run)
  text = words(run_section.write(scored, 'run'))
  (found,) = re.findall(
    r'confidence of (0\.\d{3}) or more have 90% accuracy or more', text
  )
  sure = run.probabilities.max(axis=1) >= float(found) - 5e-4
  assert (run.predictions == run.labels)[sure].mean() >= 0.9
  assert f'The {sure.mean():.1%} of clips' in text
  assert 'choose one for use on validation clips' in text


def test_an_accuracy_that_is_never_reached_is_told(section):
  text = words(section(protocol='random80', skill=-9.0))
  assert 'No threshold of confidence reaches 90% accuracy' in text


def test_lines_but_those_of_tables_are_of_80_characters(section):
  text = section(modalities=('video', 'audio'))
  lines = [line for line in text.splitlines() if not line.startswith('|')]
  assert max(map(len, lines)) <= 80
