"""Tests of `.npz` files, damaged and forged ones too."""

import io
import struct
import zipfile

import numpy as np
import pytest

from avemotion.data import npz


def header(dtype, shape):
  text = repr({'descr': dtype, 'fortran_order': False, 'shape': shape})
  padded = text.encode().ljust(117) + b'\n'
  return b'\x93NUMPY\x01\0' + struct.pack('<H', len(padded)) + padded


def array(values):
  file = io.BytesIO()
  np.save(file, values)
  return file.getvalue()


def write(path, **members):
  with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
    for name, content in members.items():
      archive.writestr(f'{name}.npy', content)
  return path


@pytest.mark.parametrize(
  ('content', 'message'),
  [
    (header('<f8', (2**37,)), 'expected float64'),
    (header('<f8', (2,)) + bytes(8), 'got 8 bytes'),
    (header('<f8', (2**62, 4)), 'expected float64'),
    (header('|S0', (10**9,)), 'expected |S0'),
    (array(np.arange(4)).replace(b'(4,)', b'((4,'), 'multi-line'),
    (b'not an array', 'magic string'),
    (b'', 'magic'),
    (array(np.zeros(2, 'i4,f4')), 'not Python objects or records'),
    (array(np.zeros(2)).replace(b'NUMPY\x01', b'NUMPY\x03'), 'got (3, 0)'),
  ],
)
def test_what_a_file_only_claims_is_refused(tmp_path, content, message):
  path = write(tmp_path / 'a.npz', good=array(np.arange(3)), bad=content)
  with pytest.raises(
    ValueError, match=r'a\.npz: expected a readable'
  ) as caught:
    npz.read(path)
  assert message in str(caught.value)


def test_a_small_file_that_would_fill_memory_is_refused(tmp_path, monkeypatch):
  monkeypatch.setattr(npz, '_SMALL', 2**16)
  zeros = write(tmp_path / 'a.npz', zeros=array(np.zeros(2**17)))
  with pytest.raises(ValueError, match='bytes would decompress to 1048704'):
    npz.read(zeros)
  write(tmp_path / 'b.npz', few=array(np.zeros(2**12)))
  assert npz.read(tmp_path / 'b.npz')['few'].shape == (4096,)


def test_arrays_come_back_as_they_were(tmp_path):
  arrays = {
    'scalar': np.array('ß'),
    'none': np.zeros((0, 3), np.float16),
    'turned': np.asfortranarray(np.arange(6).reshape(2, 3)),
    'known': np.array([True, False]),
  }
  npz.write(tmp_path / 'a.npz', arrays, compressed=True)
  again = npz.read(tmp_path / 'a.npz')
  assert again.keys() == arrays.keys()
  for name, values in arrays.items():
    np.testing.assert_array_equal(again[name], values, strict=True)


@pytest.mark.parametrize(
  'values',
  [[1.5], [np.nan], [np.inf], [2**31], [-(2**31) - 1], ['1'], [2.0**40]],
)
def test_no_number_becomes_another(values):
  with pytest.raises(ValueError, match='actors: expected whole numbers'):
    npz.whole_numbers('actors', np.array(values))


def test_whole_numbers_of_any_kind_are_int32():
  for values in ([3, -1], [3.0, -1.0]):
    found = npz.whole_numbers('actors', np.array(values))
    assert found.dtype == np.int32
    assert found.tolist() == [3, -1]


def test_text_is_unicode_of_bytes_too():
  names = ['ärger', 'Łódź', '']
  encoded = np.array([name.encode() for name in names])
  assert npz.texts('names', encoded).tolist() == names
  assert npz.texts('names', np.array(names)).tolist() == names
  assert npz.texts('names', np.array([7])).tolist() == ['7']
  assert npz.texts('names', np.array([], 'S')).tolist() == []
  for values in ([b'\xff'], ['\ud800'], [1.5]):
    with pytest.raises(ValueError, match=r'names|utf-8'):
      npz.texts('names', np.array(values))
