r"""Makes a model for use: trains a recipe on everyone, writes it as one file.

  avemotion release --config=audio_best --output=audio.npz
  avemotion release --config=fusion_best --output=fusion.npz

Nothing can be measured on clips that a model was trained on: its figures are
those of the same recipe cross-validated (`avemotion train`, docs/results.md).
The weights are in float16; `avemotion CLIP --checkpoint=fusion.npz` takes them.
A training that was stopped goes on by the same command.
"""

import dataclasses

from absl import flags

from avemotion.apps.commands.command_line import Command
from avemotion.data import clips as clips_lib
from avemotion.data import files
from avemotion.features import compilation
from avemotion.training import (
  checkpoints,
  config_files,
  crossval,
  devices,
  outputs,
  weights,
)

_COMMAND = Command('release', __doc__)
_CONFIG = _COMMAND.config_flag('audio_best')
_WORKDIR = _COMMAND.string(
  'workdir', 'runs/release', 'directory of the training'
)
_OUTPUT = _COMMAND.string('output', None, 'file to write', required=True)
_TEMPERATURE = _COMMAND.number(
  'temperature',
  None,
  'that logits are divided by, as `avemotion report --temperature_of` prints'
  ' it; default: as trained',
)
flags.register_validator(
  _TEMPERATURE,
  lambda value: value is None or 0.05 <= value <= 20,
  'not 0.05 to 20',
)


@_COMMAND.runs
def main(_: list[str]) -> None:
  """Trains, and writes the weights."""
  if 'data.protocol' in _COMMAND.overrides:
    raise ValueError('the protocol is everyone: nobody is tested')
  config = config_files.load_config(
    _CONFIG.value, {**_COMMAND.overrides, 'data.protocol': 'everyone'}
  )
  devices.start()
  compilation.cache_on_disk()
  clips = clips_lib.load(config.data.dataset, config.data.data_dir)
  workdir = files.as_path(_WORKDIR.value)
  (summary,) = crossval.train(config, clips, workdir)
  model = checkpoints.load(outputs.fold_directory(workdir, 0))
  if _TEMPERATURE.value is not None:
    model = dataclasses.replace(model, temperature=_TEMPERATURE.value)
  size = weights.save(_OUTPUT.value, model, clips.clip_ids.tolist())
  print(
    f'{_OUTPUT.value}: {model.num_parameters:,} parameters trained on'
    f' {summary["num_train"]} clips, {size / 1e6:.1f} MB; try it: avemotion'
    f' CLIP --checkpoint={_OUTPUT.value}'
  )
