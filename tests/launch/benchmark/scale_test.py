"""Tests of watching a build of many clips."""

import numpy as np
import pytest
from etils import epath

from avemotion.datasets import labelling, name_patterns
from avemotion.datasets.extraction import Extraction
from avemotion.synthetic import corpus
from launch.benchmark import scale


def sample(seconds, clips, workers=100):
  return scale.Sample(seconds, clips, {1: 10, 2: workers}, 2 * seconds)


def test_a_steady_build_takes_equal_tenths_and_does_not_grow():
  samples = [sample(5 + n, 3 * n) for n in range(101)]
  working = scale.extracting([*samples, sample(110, 300), sample(120, 300)])
  assert (working[0].clips, working[-1].seconds) == (3, 105)
  np.testing.assert_allclose(scale.tenths(working, 'seconds'), 9.9)
  np.testing.assert_allclose(scale.tenths(working, 'processor_seconds'), 19.8)
  assert scale.resident_growth(working) == (0, [10, 100])


def test_a_leak_is_growth_and_slow_clips_a_longer_tenth():
  working = [sample(n**2, n, workers=50 + n) for n in range(1, 101)]
  growth, peaks = scale.resident_growth(working)
  assert growth == 80  # From the second tenth to the last.
  assert peaks == [10, 150]
  first, *_, last = scale.tenths(working, 'seconds')
  assert last > 10 * first


def test_links_have_names_with_a_label_and_an_actor(tmp_path):
  drawn = [tmp_path / corpus.clip_name('calm', 1)]
  drawn[0].write_bytes(b'')
  links = scale.link(tmp_path / 'clips', drawn, 20)
  pattern = name_patterns.named(scale.PATTERN)
  found = labelling.by_name(tmp_path / 'clips', pattern, ('audio',))
  assert len(found.findings.clips) == len(set(links)) == 20
  assert found.label_names[:2] == ('neutral', 'calm')
  assert set(found.groups) == {'01', '02', '03'}
  assert links[0].resolve() == drawn[0].resolve()


@pytest.mark.slow
def test_a_build_is_watched_to_its_end(tmp_path):
  drawn = corpus.make_corpus(
    tmp_path / 'drawn', (1,), statements=(1,), seconds=1.0
  )
  scale.link(tmp_path / 'clips', drawn, 16)
  samples = [*scale.watch(tmp_path, 'speech_audio', workers=2, every=0.1)]
  assert samples[-1].clips == 16
  assert max(len(each.resident) for each in samples) == 3
  scale.draw(samples, tmp_path / 'scale.png')
  assert (tmp_path / 'scale.png').read_bytes().startswith(b'\x89PNG')


@pytest.mark.slow
def test_a_build_that_fails_is_reported(tmp_path):
  (tmp_path / 'clips').mkdir()
  with pytest.raises(RuntimeError, match=r'prepare .* failed'):
    list(scale.watch(tmp_path, 'speech_audio', workers=1, every=0.1))


@pytest.mark.slow
@pytest.mark.filterwarnings('ignore')  # Beam emits some.
def test_a_pipelines_graph_grows_with_its_clips(tmp_path):
  pytest.importorskip('apache_beam')
  from launch.benchmark import scale_limits

  (tmp_path / 'any.mp4').touch()
  scale.link(tmp_path / 'clips', [tmp_path / 'any.mp4'], 2000)
  pattern = name_patterns.named(scale.PATTERN)
  found = labelling.by_name(tmp_path / 'clips', pattern, ('audio',)).findings
  extraction = Extraction(epath.Path(tmp_path / 'extracted'), ('audio',))
  assert 5 < scale_limits.graph_bytes(extraction, found.clips) < 500
