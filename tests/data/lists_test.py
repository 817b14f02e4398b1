"""Tests of lists of clips, as pandas and spreadsheets write them."""

import csv

import pytest

from avemotion.data import lists


def write(tmp_path, text):
  path = tmp_path / 'list.csv'
  path.write_text(text, encoding='utf-8')
  return path


@pytest.mark.parametrize(
  'text',
  [
    '\ufefffile, said\r\n ä.wav ,"x, y "\r\n',
    ',file,said\n0,ä.wav,"x, y"\n',
    'file,said,\nä.wav,"x, y",\n\n',
    'file,said\nä.wav,"x, y",,\n',
  ],
)
def test_the_same_list_is_read_however_it_was_written(tmp_path, text):
  ((number, row),) = lists.read(write(tmp_path, text), ['file'])
  assert (number, row) == (2, {'file': 'ä.wav', 'said': 'x, y'})


def test_values_are_of_any_length_and_the_limit_is_as_before(tmp_path):
  limit = csv.field_size_limit()
  text = f'file,said\na.wav,{"x" * 200_000}\nb.wav\n'
  (_, row), (_, short) = lists.read(write(tmp_path, text), ['file'])
  assert len(row['said']) == 200_000
  assert short == {'file': 'b.wav', 'said': ''}
  assert csv.field_size_limit() == limit


@pytest.mark.parametrize(
  ('text', 'message'),
  [
    ('file,said\na.wav,"x\n', r'line 2: unexpected end.* in "quotes"'),
    ('file,said\na.wav,x,y\n', 'line 2: expected 2 values, got 3'),
    ('file,,said\na.wav,7,x\n', "line 2: '7' is in column 2, which"),
    ('file,said,said\n', 'each name once, got file, said, said'),
    ('said\nx\n', 'first line with file, .* got said'),
  ],
)
def test_a_list_that_is_not_clear_is_told_by_line(tmp_path, text, message):
  with pytest.raises(ValueError, match=rf'list\.csv.*{message}'):
    lists.read(write(tmp_path, text), ['file'])
