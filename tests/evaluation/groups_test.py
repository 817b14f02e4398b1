"""Scores of groups of clips."""

import re

import numpy as np
import pytest

from avemotion.evaluation import groups, runs


@pytest.fixture
def run(tmp_path, write_run):
  (found,) = runs.read_runs([write_run(tmp_path / 'run', protocol='actor5')])
  return found


def test_a_group_is_scored_by_its_clips(run):
  facts = groups.of_run(run)
  assert {'emotion', 'actor'} <= facts.keys()
  text = groups.section(run, {'actor': facts['actor']})
  predictions = np.concatenate([fold.predictions for fold in run.folds])
  for actor in np.unique(run.actors):
    own = run.actors == actor
    share = f'{(predictions == run.labels)[own].mean():.1%}'
    row = re.search(rf'^\| {actor} +\| (\d+) +\| ([\d.]+%)', text, re.M)
    assert row.groups() == (str(own.sum()), share)
  assert 'Largest gap: ' in text


def test_facts_of_a_file_are_by_clip(run, tmp_path):
  ids = [clip for fold in run.folds for clip in fold.clip_ids]
  path = tmp_path / 'facts.csv'
  lines = [
    f'{clip}.wav,{"Łódź" if k % 2 else "Yogya"}' for k, clip in enumerate(ids)
  ]
  path.write_text('\n'.join(['file,site', *lines[::-1]]))
  facts = groups.of_file(path, run)
  assert facts['site'].tolist() == ['Yogya', 'Łódź'] * (len(ids) // 2)
  assert 'Łódź' in groups.section(run, facts)


def test_facts_are_found_by_a_list_as_prepare_reads_it(run, tmp_path):
  ids = [clip for fold in run.folds for clip in fold.clip_ids]
  path = tmp_path / 'facts.csv'
  lines = [f'{k},C:\\clips\\{clip}.wav,{k}' for k, clip in enumerate(ids)]
  path.write_text('\n'.join([',file,site', *lines, '0,,', '1,/a/x.wav,0']))
  facts = groups.of_file(path, run)
  assert [*facts] == ['site']
  assert facts['site'].tolist() == [str(k) for k in range(len(ids))]


@pytest.mark.parametrize(
  ('text', 'told'),
  [
    ('', 'expected a first line with file'),
    ('clip,site\na,b\n', 'expected a first line with file'),
    ('file,site\na.wav,b\n', 'got none for'),
  ],
)
def test_a_file_that_does_not_say_is_told(run, tmp_path, text, told):
  path = tmp_path / 'facts.csv'
  path.write_text(text)
  with pytest.raises(ValueError, match=told):
    groups.of_file(path, run)
  with pytest.raises(ValueError, match='expected UTF-8 text'):
    groups.of_file(tmp_path / 'none.csv', run)
