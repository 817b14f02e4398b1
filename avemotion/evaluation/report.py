"""Reports of runs, compared with the paper: Markdown, HTML and pictures."""

import re
from collections.abc import Sequence

import numpy as np
from etils import epath

from avemotion.data import files
from avemotion.evaluation import markdown, plots, run_section
from avemotion.evaluation.scores import RunScores

_WARNING = (
  '**Random folds share speakers** between training and test, and score about'
  ' 25 points higher than speaker-independent folds with the same model. The'
  " paper's numbers are those of random splits."
)
OVERVIEW_HEADER = ('run', 'protocol', 'accuracy', '95 % CI', 'UAR', 'paper')


def write_report(
  scores: Sequence[RunScores], directory: epath.PathLike
) -> list[epath.Path]:
  """Writes `report.md`, `report.html` and their pictures; returns the paths."""
  directory = epath.Path(directory)
  directory.mkdir(parents=True, exist_ok=True)
  sections, pictures = [], []
  if len(scores) > 1:
    comparison = directory / 'comparison.png'
    ours, papers = {}, {}
    for one in scores:
      title = f'{one.run.name}, {one.run.protocol}'
      name = '\n'.join([title, *one.differences])
      ours[name] = (one.accuracy.mean, *one.accuracy.interval)
      if one.papers_row:
        papers[name] = (one.papers_row.accuracy, np.nan, np.nan)
    series = {'ours, 95 % interval': ours, 'the paper': papers}
    series = {name: points for name, points in series.items() if points}
    plots.save_points(comparison, series, 'accuracy on test clips')
    sections.append(_overview(scores, comparison))
    pictures.append(comparison)
  for stem, one in zip(_stems(scores), scores, strict=True):
    sections.append(run_section.write(one, stem))
    pictures.extend(_draw(one, directory, stem))
  parts = ['# Report', markdown.wrap(_WARNING, '> '), *sections]
  text = '\n\n'.join(parts) + '\n'
  source, page = directory / 'report.md', directory / 'report.html'
  files.write(source, text)
  names = ', '.join(one.run.name for one in scores)
  markdown.save_html(page, text, f'avemotion: {names}')
  return [source, page, *pictures]


def overview_row(scores: RunScores) -> tuple[str, ...]:
  """Returns a run's cells under `OVERVIEW_HEADER`."""
  run, row = scores.run, scores.papers_row
  reported = [f'{row.accuracy:.0%}'] if row else ['–']
  return (
    run.name,
    run.protocol,
    *run_section.cells(scores.accuracy),
    run_section.cells(scores.uar)[0],
    ', '.join([*reported, *scores.differences]),
  )


def _stems(scores: Sequence[RunScores]) -> list[str]:
  """Names the runs' pictures; numbers runs with the same name."""
  stems = [re.sub(r'[^\w.-]+', '_', one.run.name) for one in scores]
  nth = [stems[: place + 1].count(stem) for place, stem in enumerate(stems)]
  return [f'{s}.{n}' if n > 1 else s for s, n in zip(stems, nth, strict=True)]


def _draw(
  scores: RunScores, directory: epath.Path, stem: str
) -> list[epath.Path]:
  """Draws a run's `run_section.PICTURES`."""
  run, covered = scores.run, run_section.COVERED_ACCURACY
  confusion, reliability, coverage, curves = paths = [
    directory / f'{stem}.{name}.png' for name in run_section.PICTURES
  ]
  title = f'{run.name}, {run.protocol}'
  share = f'{title}: {scores.accuracy.pooled:.1%} of {run.labels.size} clips'
  plots.save_confusion(confusion, scores.confusion, run.label_names, share)
  plots.save_reliability(reliability, scores.reliability, title)
  plots.save_coverage(coverage, scores.coverage, covered, title)
  plots.save_learning_curves(curves, [f.curves for f in run.folds], title)
  return paths


def _overview(scores: Sequence[RunScores], comparison: epath.Path) -> str:
  rows = [overview_row(one) for one in scores]
  num_folds = max(len(one.run.folds) for one in scores)
  parts = [
    markdown.table(OVERVIEW_HEADER, [[f'`{r[0]}`', *r[1:]] for r in rows]),
    markdown.wrap(run_section.explain_scores(num_folds)),
    f'![Accuracies beside the paper]({comparison.name})',
  ]
  return '\n\n'.join(parts)
