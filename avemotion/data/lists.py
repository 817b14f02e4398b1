"""Lists of clips: CSV files with a header."""

import contextlib
import csv
import io
from collections.abc import Iterator, Sequence

from etils import epath


def read(
  path: epath.PathLike, required: Sequence[str]
) -> list[tuple[int, dict[str, str]]]:
  """Reads a list's lines, each as its number and its values by column.

  Values are stripped text of any length, '' where missing. A first column
  without a name, like pandas's index, and columns with neither name nor values
  are dropped.

  Raises:
    ValueError: the list is not UTF-8 text, lacks one of the `required` columns,
      or has a line that cannot be read.
  """
  try:
    text = epath.Path(path).read_bytes().decode('utf-8-sig')
  except (OSError, UnicodeDecodeError) as error:
    raise ValueError(
      f'{path}: expected UTF-8 text ({error}); save the file as UTF-8'
    ) from error
  reader = csv.reader(io.StringIO(text, newline=''), strict=True)
  try:
    with _fields_of(len(text)):
      lines = [(reader.line_num, line) for line in reader if line]
  except csv.Error as error:
    raise ValueError(
      f'{path}, line {reader.line_num}: {error}; put a value with commas,'
      ' quotes or line breaks in "quotes", and double each quote inside'
    ) from error
  _, header = lines[0] if lines else (0, [])
  columns = [name.strip() for name in header]
  named = [name for name in columns if name]
  if set(required) - set(named) or len(set(named)) < len(named):
    raise ValueError(
      f'{path}: expected a first line with {", ".join(required)}, each name'
      f' once, got {", ".join(named) or "nothing"}'
    )
  rows = []
  for number, line in lines[1:]:
    values = [value.strip() for value in line]
    if any(values[len(columns) :]):
      raise ValueError(
        f'{path}, line {number}: expected {len(columns)} values, got'
        f' {len(values)}; put a value with commas in "quotes"'
      )
    values += [''] * (len(columns) - len(values))
    for place, (name, value) in enumerate(zip(columns, values, strict=False)):
      if value and place and not name:
        raise ValueError(
          f'{path}, line {number}: {value!r:.40} is in column {place + 1},'
          ' which has no name; name it in the first line'
        )
    pairs = zip(columns, values, strict=False)
    rows.append((number, {name: value for name, value in pairs if name}))
  return rows


@contextlib.contextmanager
def _fields_of(length: int) -> Iterator[None]:
  """Raises csv's process-wide limit to fields of `length` characters."""
  before = csv.field_size_limit()
  csv.field_size_limit(max(before, length))
  try:
    yield
  finally:
    csv.field_size_limit(before)
