"""Where a model comes from, and what is known of how good it is."""

import dataclasses
import os
import pathlib
import re
from collections.abc import Mapping

import numpy as np

from avemotion.data import clips, folds
from avemotion.evaluation import fold_outputs, markdown, metrics
from avemotion.evaluation.fold_outputs import FoldOutputs
from avemotion.features.clip import FEATURE_DIMS
from avemotion.training import config as config_lib
from avemotion.training import weights
from avemotion.training.checkpoints import TrainedModel

_CARD_OF_BUNDLED = weights.BUNDLED.with_name('README.md')
_FIGURES = re.compile(r'^\*\*How good it is\*\*.*?(?=^\*\*)', re.M | re.S)
_LINK_WITHIN = re.compile(r'\[([^\]]+)\]\(\.\.[^)]*\)')


@dataclasses.dataclass(frozen=True)
class Origin:
  """A model, and what is known of it.

  Attributes:
    model: the model.
    name: of the checkpoint, in Markdown.
    figures: how good it is, in Markdown; or why that is not known.
    sources: for each modality what its features are, in words.
  """

  model: TrainedModel
  name: str
  figures: str
  sources: Mapping[str, str]


def read(path: str | os.PathLike[str] | None = None) -> Origin:
  """Reads a checkpoint, and the results beside it.

  Args:
    path: as for `weights.load_any`.

  Returns:
    What is known.

  Raises:
    CheckpointError: there is none, or it is damaged.
  """
  model = weights.load_any(path)
  sources = {
    modality: clips.EXTRACTED_SOURCES[modality]
    if width == FEATURE_DIMS[modality]
    else 'features from elsewhere'
    for modality, width in model.feature_dims.items()
  }
  if path is None or pathlib.Path(path).resolve() == weights.BUNDLED.resolve():
    name = 'the model that ships with avemotion'
    return Origin(model, name, _figures_of_bundled(), sources)
  path = pathlib.Path(path)
  try:
    fold = _fold(path, model)
  except (config_lib.ConfigError, fold_outputs.ReportError) as error:
    return Origin(model, f'`{path}`', _unknown(str(error)), sources)
  if fold is None:
    figures = _unknown('there are no results beside it')
    return Origin(model, f'`{path}`', figures, sources)
  return Origin(model, f'`{path}`', _figures(fold), fold.summary['sources'])


def _fold(path: pathlib.Path, model: TrainedModel) -> FoldOutputs | None:
  """What was trained with a checkpoint, `fold_K` or the one within."""
  if not path.is_dir():
    return None
  for directory in (path.absolute(), path.absolute().parent):
    if (directory / 'result.json').is_file():
      fold = fold_outputs.read_fold(directory)
      if config_lib.from_dict(fold.summary['config']) != model.config:
        raise fold_outputs.ReportError(
          f'{directory / "result.json"}: is of another model'
        )
      return fold
  return None


def _figures_of_bundled() -> str:
  """What its card says, less links to where the card lies."""
  found = _FIGURES.search(_CARD_OF_BUNDLED.read_text(encoding='utf-8'))
  if not found:
    raise ValueError(f'{_CARD_OF_BUNDLED}: does not say how good the model is')
  return _LINK_WITHIN.sub(r'\1', found.group()).strip()


def _unknown(reason: str) -> str:
  return markdown.wrap(
    f'That is not known: {reason}. Figures of a recipe are those of its'
    ' cross-validation (`launch/train.py`, `launch/report.py`).'
  )


def _figures(fold: FoldOutputs) -> str:
  """Scores on the fold's test clips, and each label's recall."""
  confusion = fold.confusion
  intervals = metrics.bootstrap_over_actors(
    fold.labels,
    fold.predictions,
    fold.actors,
    np.zeros_like(fold.labels),
    len(fold.label_names),
  )
  accuracy = metrics.accuracy(confusion)
  uar = metrics.unweighted_average_recall(confusion)
  scores = markdown.table(
    ('score', 'value', '95 % interval'),
    [
      ('accuracy', f'{accuracy:.1%}', _interval(intervals.accuracy)),
      ('UAR', f'{uar:.1%}', _interval(intervals.uar)),
    ],
  )
  recalls = markdown.table(
    ('label', 'clips', 'recognised'),
    [
      (name, str(count), '–' if np.isnan(recall) else f'{recall:.1%}')
      for name, count, recall in zip(
        fold.label_names,
        confusion.sum(axis=1),
        metrics.recalls(confusion),
        strict=True,
      )
    ],
  )
  protocol = folds.named(fold.protocol)
  text = markdown.wrap(
    f'On the {fold.labels.size} clips of {np.unique(fold.actors).size} actors'
    f' that fold {fold.number} of `{fold.protocol}` is tested on'
    f' ({protocol.meaning}). The interval is by bootstrap over actors. Other'
    ' folds have other figures; `launch/report.py` has all of a run.'
  )
  return f'{text}\n\n{scores}\n\n{recalls}'


def _interval(ends: tuple[float, float]) -> str:
  low, high = ends
  return '–' if np.isnan(low) else f'{100 * low:.1f}–{high:.1%}'
