r"""Takes a model elsewhere: programs and a model card, in one directory.

  avemotion export --output=exported
  avemotion export runs/audio/fold_0 --output=exported --onnx

Without a checkpoint it is the model that ships. The directory has
`classifier.stablehlo`, features to probabilities, which JAX alone loads on CPU,
GPU or TPU; of a model of VGG16 features `vgg16.stablehlo`, faces to features;
and README.md, which says what to feed them, how to load them, and how good the
model is. --onnx adds the same for other runtimes (pip install
'avemotion[onnx]'). Each program is run beside the model before it is kept: the
directory is written whole or not at all.
"""

from avemotion.apps.commands.command_line import Command
from avemotion.export import directory, origin

_COMMAND = Command('export', __doc__, arguments=True)
_VGG16_WEIGHTS = _COMMAND.shared_flag('vgg16_weights')
_OUTPUT = _COMMAND.string('output', None, 'directory to write', required=True)
_ONNX = _COMMAND.boolean('onnx', False, 'write ONNX, too')
_OVERWRITE = _COMMAND.boolean(
  'overwrite', False, 'replace an export that is there'
)


@_COMMAND.runs
def main(arguments: list[str]) -> None:
  """Exports one model."""
  if len(arguments) > 1:
    raise ValueError(f'name one checkpoint, or none; got {arguments}')
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
  print(f'{_OUTPUT.value}/{directory.CARD}: what to feed them')
