"""Extraction over a cluster, by any runner of Apache Beam.

The machines need this package, and must reach the folders of the recordings and
of the data set by the same names: decoding reads files, not buckets.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.utils.shared import Shared

from avemotion.datasets.clips import Clip, DatasetError
from avemotion.datasets.extraction import Extraction
from avemotion.datasets.workers import ENDED, Workers


def extract(
  extraction: Extraction,
  clips: Sequence[Clip],
  options: PipelineOptions | None,
  runner: 'str | beam.runners.PipelineRunner | None' = None,
) -> Iterator[int]:
  """Extracts clips by a pipeline, whose options may name the runner.

  All machines write to the extraction's folder. It yields the number of clips,
  at the end: the runner shows what is done until then.

  Raises:
    DatasetError: the pipeline failed, with its runner's message.
  """
  try:
    with beam.Pipeline(runner, options=options) as pipeline:
      _ = (
        pipeline
        | beam.Create(clips)
        | beam.Reshuffle()  # One by one, over all machines.
        | beam.ParDo(_Extract(extraction))
      )
  except Exception as error:  # Each runner has errors of its own.
    raise DatasetError(f'the pipeline failed: {error}') from error
  yield len(clips)


class _Extract(beam.DoFn):
  """Gives clips to one worker a Python process, whose threads share it."""

  def __init__(self, extraction: Extraction) -> None:
    self._extraction = extraction
    self._shared = Shared()

  def setup(self) -> None:
    """Called by Beam in each of a process's threads."""
    self._worker = self._shared.acquire(lambda: Workers(self._extraction, 1))

  def process(self, clip: Clip) -> None:
    """Extracts and saves a clip."""
    try:
      self._worker.submit(clip).result()
    except BrokenProcessPool as error:
      raise DatasetError(ENDED) from error
