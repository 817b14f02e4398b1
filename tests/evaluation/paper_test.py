"""Tests of the paper's tables against the printed ones."""

import dataclasses
import types

import pytest

from avemotion.emotions import EMOTIONS
from avemotion.evaluation import paper, scores
from avemotion.training.config import AudioConfig, ModelConfig, update


def percents(table):
  return {row.name: round(100 * row.accuracy) for row in paper.TABLES[table]}


def test_the_tables_are_the_papers():
  assert percents(1) == {
    '1x256_bn': 78,
    '3x256_bn': 74,
    '1x512_no_bn': 76,
    '1x512_bn': 79,
    '3x512_no_bn': 74,
    '3x512_bn': 76,
    '1x1024_no_bn': 77,
    '1x1024_bn': 78,
  }
  assert percents(2) == {
    '1x256_no_bn': 69,
    '1x256_bn': 75,
    '3x256_no_bn': 75,
    '3x256_bn': 80,
    '1x512_bn': 75,
    '3x512_bn': 79,
  }
  assert percents(3) == {'audio': 80, 'video': 79, 'fusion': 90}


def test_rows_are_configurations_of_the_model():
  for row in (row for table in paper.TABLES.values() for row in table):
    config = update(ModelConfig(), row.model)
    found = paper.find_row(dataclasses.asdict(config))
    assert (found.model, found.accuracy) == (row.model, row.accuracy)


def test_rows_read_as_in_print():
  assert [str(row) for row in paper.TABLES[3]] == [
    '3 × 256, BN',
    '1 × 512, BN',
    'video 1 × 512, audio 3 × 256, BN',
  ]
  assert str(paper.TABLES[2][0]) == '1 × 256, no BN'


def test_a_model_that_the_paper_has_not_is_no_row():
  config = ModelConfig(modalities=('audio',), audio=AudioConfig(features=128))
  assert paper.find_row(dataclasses.asdict(config)) is None


@pytest.mark.parametrize(
  ('change', 'words'),
  [
    ({'dense_features': 128}, '3 × 256, BN, dense 128'),
    ({'use_bias': True}, '3 × 256, BN, biases'),
  ],
)
def test_what_the_papers_models_have_alike_makes_a_row(change, words):
  config = ModelConfig(modalities=('audio',), **change)
  model = dataclasses.asdict(config)
  assert paper.find_row(model) is None
  assert paper.describe_model(model) == words


@pytest.mark.parametrize(
  ('source', 'coefficients', 'protocol', 'label_names', 'expected'),
  [
    ('VGG16 of crops', 13, 'random10', EMOTIONS, ()),
    ('68 face landmarks', 13, 'random10', EMOTIONS, ('other features',)),
    ('VGG16', 40, 'random10', EMOTIONS, ('other features',)),
    ('VGG16', 13, 'actor5', EMOTIONS, ('other protocol',)),
    ('VGG16', 13, 'random10', EMOTIONS[:6], ('other classes',)),
  ],
)
def test_what_is_not_the_papers_is_said(
  source, coefficients, protocol, label_names, expected
):
  row = paper.TABLES[3][2]
  model = row.model | {
    'audio': {**row.model['audio'], 'num_inputs': coefficients}
  }
  sources = {'video': source, 'audio': 'MFCC'}
  run = types.SimpleNamespace(
    config={'model': model},
    sources=sources,
    protocol=protocol,
    label_names=label_names,
    enrolled=(),
  )
  assert scores.RunScores(run, *[None] * 6).differences == expected


def test_classes_are_in_ravdess_order_or_in_their_own():
  assert paper.class_order(sorted(EMOTIONS)) == EMOTIONS
  assert paper.class_order(['sad', 'happy']) == ('sad', 'happy')
