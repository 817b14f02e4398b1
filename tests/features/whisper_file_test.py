"""Tests of Whisper files in the formats of CTranslate2 and Hugging Face."""

import json
import struct

import numpy as np
import pytest

from avemotion.features import speech_program, whisper_file


@pytest.fixture(scope='module')
def ships():
  with np.load(speech_program.WEIGHTS) as arrays:
    return dict(arrays)


def dense(ships, name):
  return ships[f'{name}/kernel'].T, ships[f'{name}/bias']


def attention(ships, block, name):
  kernel = ships[f'{block}/attention/{name}/kernel']
  shape = (512, 512)
  return kernel.reshape(shape).T, ships[
    f'{block}/attention/{name}/bias'
  ].reshape(-1)


def hugging_face(ships):
  arrays = {'model.decoder.unused': np.zeros(3, np.float16)}
  for name in ('conv1', 'conv2'):
    key = f'model.encoder.{name}'
    arrays[f'{key}.weight'] = ships[f'{name}/kernel'].transpose(2, 1, 0)
    arrays[f'{key}.bias'] = ships[f'{name}/bias']
  for number in range(3):
    block, key = f'block{number + 1}', f'model.encoder.layers.{number}'
    for ours, theirs in (
      ('query', 'q'),
      ('key', 'k'),
      ('value', 'v'),
      ('out', 'out'),
    ):
      weight, bias = attention(ships, block, ours)
      arrays[f'{key}.self_attn.{theirs}_proj.weight'] = weight
      if ours != 'key':
        arrays[f'{key}.self_attn.{theirs}_proj.bias'] = bias
    for ours, theirs in (
      ('attention_norm', 'self_attn_layer_norm'),
      ('hidden_norm', 'final_layer_norm'),
    ):
      arrays[f'{key}.{theirs}.weight'] = ships[f'{block}/{ours}/scale']
      arrays[f'{key}.{theirs}.bias'] = ships[f'{block}/{ours}/bias']
    for ours, theirs in (('hidden', 'fc1'), ('output', 'fc2')):
      weight, bias = dense(ships, f'{block}/{ours}')
      arrays[f'{key}.{theirs}.weight'] = weight
      arrays[f'{key}.{theirs}.bias'] = bias
  return arrays


def write_safetensors(path, arrays):
  header, content = {'__metadata__': {'format': 'pt'}}, b''
  for name, array in arrays.items():
    data = np.ascontiguousarray(array, np.float32).tobytes()
    span = [len(content), len(content) + len(data)]
    entry = {'dtype': 'F32', 'shape': array.shape, 'data_offsets': span}
    header[name], content = entry, content + data
  text = json.dumps(header).encode()
  path.write_bytes(struct.pack('<Q', len(text)) + text + content)


def write_ctranslate2(path, arrays):
  def text(name):
    return struct.pack('<H', len(name) + 1) + name.encode() + b'\0'

  content = struct.pack('<I', 6) + text('WhisperSpec')
  content += struct.pack('<II', 3, len(arrays))
  for name, array in arrays.items():
    data = np.ascontiguousarray(array, np.float16).tobytes()
    content += text(name) + struct.pack('<B', array.ndim)
    content += struct.pack(f'<{array.ndim}I', *array.shape)
    content += struct.pack('<BI', 4, len(data)) + data
  path.write_bytes(content)


def ctranslate2(ships):
  renamed = {}
  names = {
    'self_attn_layer_norm': 'self_attention/layer_norm',
    'final_layer_norm': 'ffn/layer_norm',
    'fc1': 'ffn/linear_0',
    'fc2': 'ffn/linear_1',
  }
  for name, array in hugging_face(ships).items():
    *_, layer, part = name.split('.')
    if 'conv' in name:
      renamed[f'encoder/{layer}/{part}'] = array
    elif layer in names:
      number = name.split('.')[3]
      norm = {'weight': 'gamma', 'bias': 'beta'} if 'norm' in layer else {}
      key = f'encoder/layer_{number}/{names[layer]}/{norm.get(part, part)}'
      renamed[key] = array
  for number in range(3):
    pairs = [
      attention(ships, f'block{number + 1}', name)
      for name in ('query', 'key', 'value', 'out')
    ]
    key = f'encoder/layer_{number}/self_attention/linear'
    for at, part in enumerate(('weight', 'bias')):
      renamed[f'{key}_0/{part}'] = np.concatenate([p[at] for p in pairs[:3]])
      renamed[f'{key}_1/{part}'] = pairs[3][at]
  return renamed


@pytest.mark.parametrize(
  ('arrays_of', 'write'),
  [(hugging_face, write_safetensors), (ctranslate2, write_ctranslate2)],
)
def test_a_file_gives_what_ships(tmp_path, ships, arrays_of, write):
  path = tmp_path / 'model'
  write(path, arrays_of(ships))
  found = whisper_file.read(str(path))
  assert found.keys() == ships.keys()
  for name, array in ships.items():
    # Key projections of Whisper have no bias.
    expected = 0 * array if name.endswith('attention/key/bias') else array
    if arrays_of is ctranslate2:
      expected = array
    np.testing.assert_array_equal(found[name], expected, err_msg=name)


@pytest.mark.parametrize('content', [b'', b'PK\x03\x04 not Whisper' * 9])
def test_another_file_is_told(tmp_path, content):
  path = tmp_path / 'model.bin'
  path.write_bytes(content)
  with pytest.raises(ValueError, match='expected Whisper base'):
    whisper_file.read(str(path))
