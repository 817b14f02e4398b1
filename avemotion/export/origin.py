"""Model to export, with the name and the scores of its checkpoint."""

import dataclasses
import os
import re
from collections.abc import Mapping

import numpy as np
from etils import epath

from avemotion.data import folds
from avemotion.evaluation import fold_outputs, markdown, metrics, run_section
from avemotion.evaluation.fold_outputs import FoldOutputs
from avemotion.features import front_ends
from avemotion.training import config as config_lib
from avemotion.training import weights
from avemotion.training.trained_model import TrainedModel

_RAVDESS = re.compile(r'\d\d(-\d\d){6}')  # Name of a clip.
_FIGURES = re.compile(r'^## How good it is\n(.*?)(?=^## )', re.M | re.S)
_LINK_WITHIN = re.compile(r'\[([^\]]+)\]\(\.\.[^)]*\)')


@dataclasses.dataclass(frozen=True)
class Origin:
  """Model to export.

  Attributes:
    model: the model.
    name: its name, in Markdown.
    figures: its scores, in Markdown, or the reason why they are not known.
    sources: description of each modality's features.
    is_ravdess: whether it was trained on clips with names like RAVDESS's.
  """

  model: TrainedModel
  name: str
  figures: str
  sources: Mapping[str, str]
  is_ravdess: bool = False


def read(path: str | os.PathLike[str] | None = None) -> Origin:
  """Reads a checkpoint, as `weights.load_model`, and the results beside it.

  Raises:
    CheckpointError: the checkpoint is missing or damaged.
  """
  model = weights.load_model(path)
  sources: Mapping[str, str] = {
    modality: _source(modality, model.sources.get(modality), dim)
    for modality, dim in model.feature_dims.items()
  }
  if path is None or epath.Path(path).resolve() == weights.BUNDLED.resolve():
    name = 'the model that ships with avemotion'
    return Origin(model, name, _figures_of_bundled(), sources, True)
  figures = _unknown('there are no results beside it')
  is_ravdess = model.config.data.dataset.startswith('ravdess/')
  if os.fspath(path).endswith('.npz'):
    is_ravdess |= any(map(_RAVDESS.fullmatch, weights.trained_on(path)))
  try:
    if fold := _fold(epath.Path(path), model):
      figures = _figures(fold)
      is_ravdess |= any(map(_RAVDESS.fullmatch, fold.clip_ids))
      # A model of an earlier version has none.
      sources = fold.summary['sources'] | model.sources
  except (config_lib.ConfigError, fold_outputs.ReportError) as error:
    figures = _unknown(str(error))
  name = f'`{os.fspath(path)}`'
  return Origin(model, name, figures, sources, is_ravdess)


def _source(modality: str, source: str | None, dim: int) -> str:
  found = front_ends.find(modality, source, dim)
  return found.source if found else source or 'unnamed features'


def _fold(path: epath.Path, model: TrainedModel) -> FoldOutputs | None:
  """Reads the results of a checkpoint, at `fold_K` or within it."""
  for directory in (path, path.parent):
    if path.is_dir() and (directory / 'result.json').exists():
      fold = fold_outputs.read_fold(directory)
      if config_lib.from_dict(fold.summary['config']) != model.config:
        raise fold_outputs.ReportError(
          f'{directory / "result.json"} is of another model'
        )
      return fold
  return None


def _figures_of_bundled() -> str:
  """Returns the card's section on scores, without links to other files."""
  card = weights.BUNDLED.with_name('README.md').read_text(encoding='utf-8')
  found = _FIGURES.search(card)
  assert found, 'the card of the model that ships has no section on scores'
  return _LINK_WITHIN.sub(r'\1', found[1]).strip()


def _unknown(reason: str) -> str:
  return markdown.wrap(
    f'The scores are not known: {reason}. To measure the recipe, cross-validate'
    ' it (`avemotion train`, `avemotion report`).'
  )


def _figures(fold: FoldOutputs) -> str:
  confusion = fold.confusion
  one_run, classes = np.zeros_like(fold.labels), len(fold.label_names)
  intervals = metrics.bootstrap_over_actors(
    fold.labels, fold.predictions, fold.actors, one_run, classes
  )
  accuracy = metrics.accuracy(confusion)
  uar = metrics.unweighted_average_recall(confusion)
  text = markdown.wrap(
    f'Accuracy {accuracy:.1%} ({markdown.interval(intervals.accuracy)}), UAR'
    f' {uar:.1%} ({markdown.interval(intervals.uar)}) on the'
    f' {fold.labels.size} test clips of {np.unique(fold.actors).size} actors,'
    f' in fold {fold.number} of `{fold.protocol}`'
    f' ({folds.named(fold.protocol).meaning}), with 95 % intervals by bootstrap'
    ' over actors. `avemotion report` has the scores of all folds.'
  )
  recalls = run_section.recall_table(confusion, fold.label_names)
  return f'{text}\n\n{recalls}'
