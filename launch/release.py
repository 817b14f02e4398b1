r"""Makes a model for use: trains a recipe on everyone, writes it as one file.

  python launch/release.py --config=launch/configs/audio_best.py \
    --output=avemotion/weights/audio.npz
  python launch/release.py --config=launch/configs/fusion_best.py \
    --output=fusion.npz  # where RAVDESS's video was prepared

Nothing can be measured on clips that a model was trained on: its figures are
those of the same recipe cross-validated (launch/train.py, docs/results.md). The
weights are in float16; `launch/predict.py CLIP --checkpoint=fusion.npz` takes
them. A training that was stopped goes on by the same command.
"""

import dataclasses
import pathlib
import sys

from absl import app, flags

from avemotion.data import clips as clips_lib
from avemotion.training import (
  checkpoints,
  command_line,
  compilation,
  config_files,
  crossval,
  devices,
  interruption,
  logs,
  outputs,
  weights,
)
from avemotion.training import config as config_lib

_CONFIG = flags.DEFINE_string(
  'config',
  str(pathlib.Path(__file__).parent / 'configs' / 'audio_best.py'),
  'configuration file; --config.KEY=VALUE changes a value in it',
)
_WORKDIR = flags.DEFINE_string(
  'workdir', 'runs/release', 'directory of the training'
)
_OUTPUT = flags.DEFINE_string('output', None, 'file to write', required=True)
_TEMPERATURE = flags.DEFINE_float(
  'temperature',
  None,
  'that logits are divided by, as launch/report.py --temperature_of tells;'
  ' default: as trained',
)
flags.register_validator(
  _TEMPERATURE,
  lambda value: value is None or 0.05 <= value <= 20,
  'not 0.05 to 20',
)


def main(overrides: dict[str, str]) -> int:
  """Trains, and writes the weights."""
  logs.log_to_terminal()
  workdir = pathlib.Path(_WORKDIR.value)
  try:
    if 'data.protocol' in overrides:
      raise config_lib.ConfigError('the protocol is everyone: nobody is tested')
    config = config_files.load_config(
      _CONFIG.value, {**overrides, 'data.protocol': 'everyone'}
    )
    devices.start()
    compilation.cache_on_disk()
    clips = clips_lib.load(config.data.dataset, config.data.data_dir)
    (summary,) = crossval.train(config, clips, workdir)
    model = checkpoints.load(outputs.fold_directory(workdir, 0))
    if _TEMPERATURE.value is not None:
      model = dataclasses.replace(model, temperature=_TEMPERATURE.value)
    size = weights.save(_OUTPUT.value, model, clips.clip_ids.tolist())
  except interruption.Interrupted as stopped:
    print(f'release.py: {stopped}')
    return 0
  except (ValueError, OSError, crossval.TrainingError) as error:
    print(f'release.py: {error}', file=sys.stderr)
    return 1
  print(
    f'{_OUTPUT.value}: {model.num_parameters:,} parameters trained on'
    f' {summary["num_train"]} clips, {size / 1e6:.1f} MB; try it: python'
    f' launch/predict.py CLIP --checkpoint={_OUTPUT.value}'
  )
  return 0


if __name__ == '__main__':
  app.run(main, flags_parser=command_line.parse_flags)
