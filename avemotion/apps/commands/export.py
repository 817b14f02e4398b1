r"""Exports a model as programs for other runtimes, with a model card.

  avemotion export --output=exported
  avemotion export runs/audio/fold_0 --output=exported --onnx

Without a checkpoint, exports the bundled model. The directory contains
`classifier.stablehlo` (features to probabilities), which runs in JAX on CPU,
GPU or TPU; for models of VGG16 features `vgg16.stablehlo` (face crops to
features); and README.md with inputs, loading and scores. --onnx adds ONNX files
(pip install 'avemotion[onnx]'). Each program is compared with the model before
the directory is written.
"""

from avemotion.apps.commands.command_line import Command
from avemotion.export import directory, origin

_COMMAND = Command('export', __doc__, arguments=True)
_VGG16_WEIGHTS = _COMMAND.shared_flag('vgg16_weights')
_OUTPUT = _COMMAND.string('output', None, 'directory to write', required=True)
_ONNX = _COMMAND.boolean('onnx', False, 'write ONNX files, too')
_OVERWRITE = _COMMAND.boolean('overwrite', False, 'replace an existing export')


@_COMMAND.runs
def main(arguments: list[str]) -> None:
  """Exports one model."""
  if len(arguments) > 1:
    raise ValueError(f'expected at most one checkpoint, got {arguments}')
  written = directory.write(
    _OUTPUT.value,
    origin.read(*arguments),
    _VGG16_WEIGHTS.value,
    onnx=_ONNX.value,
    overwrite=_OVERWRITE.value,
  )
  for path, difference in written.items():
    size = path.stat().st_size / 1e6
    print(f'{path}: {size:.1f} MB, within {difference:.0e} of the model')
  print(f'{_OUTPUT.value}/{directory.CARD}: inputs, loading and scores')
