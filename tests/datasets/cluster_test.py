"""Tests of Apache Beam's local runner, which gives the bytes of workers."""

import functools

import pytest
from etils import epath

from avemotion.datasets import workers
from avemotion.datasets.clips import DatasetError
from avemotion.datasets.extraction import Extraction
from avemotion.synthetic import corpus
from tfds_ravdess import performances

pytest.importorskip(
  'apache_beam', reason="Apache Beam is not installed: pip install '.[beam]'"
)
pytestmark = [
  pytest.mark.slow,
  pytest.mark.filterwarnings('ignore'),  # Beam emits some.
]

BOTH = ('video', 'audio')


def extract(extraction, clips, seen):
  from apache_beam.options.pipeline_options import PipelineOptions

  from avemotion.datasets import cluster

  options = PipelineOptions(
    ['--direct_num_workers=2', '--direct_running_mode=multi_processing']
  )
  extraction.run(
    clips,
    functools.partial(cluster.extract, options=options),
    lambda *progress: seen.append(progress),
  )


def test_two_processes_of_a_pipeline_give_what_a_worker_gives(tmp_path):
  manual = tmp_path / 'manual'
  corpus.make_corpus(manual, (1, 2), ('sad', 'calm'), (1,), seconds=0.8)
  (manual / '01-01-05-01-01-01-01.mp4').write_text('not a film')
  clips = performances.find_performances(manual, BOTH).clips
  one, two = (
    Extraction(epath.Path(tmp_path / name), BOTH) for name in ('one', 'two')
  )
  one.run(clips, functools.partial(workers.extract, num_workers=1))
  seen = []
  extract(two, clips, seen)
  assert seen[-1] == (5, 5)
  files = {path.name for path in one.folder.iterdir()}
  assert len(files) == 5
  for name in files:
    same = (one.folder / name).read_bytes() == (two.folder / name).read_bytes()
    assert same, name


def test_what_fails_in_a_pipeline_is_told(tmp_path):
  weights = tmp_path / 'bad.h5'
  weights.write_text('not weights')
  corpus.make_corpus(tmp_path, (1,), ('sad',), (1,), seconds=0.8)
  clips = performances.find_performances(tmp_path, ('video',)).clips
  out = epath.Path(tmp_path / 'out')
  extraction = Extraction(out, ('video',), vgg16_weights=str(weights))
  with pytest.raises(DatasetError, match=r'bad\.h5'):
    extract(extraction, clips, [])
