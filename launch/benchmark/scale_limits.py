"""Measures what each clip costs the process that starts a build."""

import pathlib
import tempfile
import time
from collections.abc import Callable

import apache_beam as beam
import numpy as np
import psutil
from etils import epath

from avemotion.datasets import cluster, labelling, name_patterns
from avemotion.datasets.clips import Clip
from avemotion.datasets.extraction import Extracted, Extraction
from launch.benchmark import scale
from launch.benchmark.figures import record

_CLIPS = 20_000
_SAVED = 500  # clips whose features are read


def main(_: list[str]) -> None:
  """Records bytes and processor time a clip, of lists, graphs and resuming."""
  both = 'video', 'audio'
  process = psutil.Process()
  with tempfile.TemporaryDirectory() as place:
    root = pathlib.Path(place)
    media = root / 'any.mp4'
    media.touch()
    scale.link(root / 'clips', [media], _CLIPS)
    pattern = name_patterns.named(scale.PATTERN)
    before = process.memory_info().rss
    labelled = labelling.by_name(root / 'clips', pattern, both)
    held = process.memory_info().rss - before
    record('scale.list_bytes', held / _CLIPS, 'bytes a clip')
    spent = _processor_seconds(lambda: labelled.digest)
    record('scale.digest_microseconds', 1e6 * spent / _CLIPS, 'a clip')
    clips = labelled.findings.clips
    extraction = Extraction(epath.Path(root / 'extracted'), both)
    record('scale.graph_bytes', graph_bytes(extraction, clips), 'bytes a clip')
    # Sizes of a RAVDESS clip of 3.7 s.
    rows = {'video': (28, 512), 'audio': (86, 40)}
    features = {name: np.ones(rows[name], np.float32) for name in rows}
    for clip in clips[:_SAVED]:
      extraction.save(clip, Extracted(features))
    saved = clips[:_SAVED]
    spent = _processor_seconds(lambda: [extraction.load(x) for x in saved])
    record('scale.resume_milliseconds', 1e3 * spent / _SAVED, 'a clip')


def graph_bytes(extraction: Extraction, clips: list[Clip]) -> float:
  """Measures the growth of a pipeline's graph with each of its clips."""
  sizes = []
  for number in (len(clips) // 2, len(clips)):
    pipeline = beam.Pipeline()
    cluster.add(pipeline, extraction, clips[:number])
    sizes.append(pipeline.to_runner_api().ByteSize())
  return (sizes[1] - sizes[0]) / (len(clips) - len(clips) // 2)


def _processor_seconds(call: Callable[[], object]) -> float:
  start = time.process_time()
  call()
  return time.process_time() - start
