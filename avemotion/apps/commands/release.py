r"""Trains a recipe on all speakers, and writes the model as one file.

  avemotion release --config=audio_best --output=audio.npz
  avemotion release --config=landmarks_best --output=fusion.npz \
    --temperatures_of=runs/landmarks_validated

No clips are left to test such a model: for scores, cross-validate the same
recipe (`avemotion train`, docs/results.md). Weights are stored as float16; use
them with `avemotion CLIP --checkpoint=fusion.npz`. Run the same command to
resume a training that was stopped.
"""

import dataclasses

from avemotion.apps.commands.command_line import Command
from avemotion.data import clips as clips_lib
from avemotion.data import files
from avemotion.data.clips import COPY
from avemotion.evaluation import runs
from avemotion.features import compilation
from avemotion.recognition import cross_validated
from avemotion.training import (
  checkpoints,
  config_files,
  crossval,
  devices,
  outputs,
  weights,
)
from avemotion.training import config as config_lib

_COMMAND = Command('release', __doc__)
_CONFIG = _COMMAND.config_flag('audio_best')
_WORKDIR = _COMMAND.string(
  'workdir', 'runs/release', 'directory of the training'
)
_OUTPUT = _COMMAND.string('output', None, 'file to write', required=True)
_TEMPERATURES_OF = _COMMAND.string(
  'temperatures_of',
  None,
  'directory of a run of the same recipe, scored on validation clips'
  ' (`avemotion train --config.data.validation=scored`), to fit temperatures of'
  ' all modalities and of each alone; default: as trained',
)
_ABOUT = _COMMAND.string(
  'about',
  '',
  'description of the training data for `avemotion predict` to print, such as'
  ' "24 North American actors"',
)


@_COMMAND.runs
def main(_: list[str]) -> None:
  """Trains, and writes the weights."""
  if 'data.protocol' in _COMMAND.overrides:
    raise ValueError(
      'expected no data.protocol, because the protocol of a release is everyone'
    )
  config = config_files.load_config(
    _CONFIG.value, {**_COMMAND.overrides, 'data.protocol': 'everyone'}
  )
  devices.start()
  compilation.cache_on_disk()
  clips = clips_lib.load(config.data.dataset, config.data.data_dir)
  path = _TEMPERATURES_OF.value
  validated = _validated(config, clips, path) if path else None
  workdir = files.as_path(_WORKDIR.value)
  (summary,) = crossval.train(config, clips, workdir)
  model = checkpoints.load(outputs.fold_directory(workdir, 0))
  if validated:
    model = cross_validated.calibrated(model, validated, clips)
    alone = model.branch_temperatures.items()
    told = (f'{value:.3f} of {name} alone' for name, value in alone)
    print('temperatures:', ', '.join([f'{model.temperature:.3f}', *told]))
  model = dataclasses.replace(model, about=_ABOUT.value)
  originals = {clip.split(COPY)[0] for clip in clips.clip_ids.tolist()}
  size = weights.save(_OUTPUT.value, model, originals)
  print(
    f'{_OUTPUT.value}: {model.num_parameters:,} parameters trained on'
    f' {summary["num_train"]} clips, {size / 1e6:.1f} MB; use it: avemotion'
    f' CLIP --checkpoint={_OUTPUT.value}'
  )


def _validated(
  config: config_lib.Config, clips: clips_lib.ClipSet, workdir: str
) -> runs.CrossValidation:
  """Reads a run of the same recipe, scored on validation clips."""
  run = cross_validated.read(workdir, scored='validation')
  theirs = config_lib.from_dict(run.config)
  free = 'dataset', 'data_dir', 'protocol', 'validation', 'validation_share'
  given = {name: getattr(config.data, name) for name in free}
  data = dataclasses.replace(theirs.data, **given)
  if dataclasses.replace(theirs, data=data, seed=config.seed) != config:
    raise ValueError(
      f'{workdir}: expected a run of the same recipe apart from protocol and'
      ' seed, got another recipe'
    )
  scored = {clip for fold in run.folds for clip in fold.clip_ids}
  if unknown := scored - set(clips.clip_ids.tolist()):
    raise ValueError(
      f'{workdir}: expected a run on clips of {config.data.dataset}, got'
      f' {min(unknown)}, which it lacks; name a run on the same data set'
    )
  return run
