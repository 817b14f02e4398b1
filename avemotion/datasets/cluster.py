"""Extraction on a cluster, by any runner of Apache Beam.

Each machine needs this package, and the folders of the recordings and of the
data set under the same paths; they cannot be in a bucket.
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

  All machines write to the extraction's folder. Yields the number of clips once
  at the end; the runner shows the progress until then.

  Raises:
    DatasetError: the pipeline failed; the message is the runner's.
  """
  try:
    with beam.Pipeline(runner, options=options) as pipeline:
      add(pipeline, extraction, clips)
  except Exception as error:  # Each runner has its own errors.
    raise DatasetError(f'the pipeline failed: {error}') from error
  yield len(clips)


def add(
  pipeline: beam.Pipeline, extraction: Extraction, clips: Sequence[Clip]
) -> None:
  """Adds the extraction of clips to a pipeline; its graph lists the clips."""
  _ = (
    pipeline
    | beam.Create(clips)
    | beam.Reshuffle()  # Spreads clips over all machines.
    | beam.ParDo(_Extract(extraction))
  )


class _Extract(beam.DoFn):
  """Extraction by one worker per Python process, shared by its threads."""

  def __init__(self, extraction: Extraction) -> None:
    self._extraction = extraction
    self._shared = Shared()

  def setup(self) -> None:
    """Makes the worker; Beam calls this in each thread of a process."""
    self._worker = self._shared.acquire(lambda: Workers(self._extraction, 1))

  def process(self, clip: Clip) -> None:
    """Extracts and saves a clip."""
    try:
      self._worker.submit(clip).result()
    except BrokenProcessPool as error:
      raise DatasetError(ENDED) from error
