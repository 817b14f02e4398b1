"""Measures the project: its source, its tests, its installation.

python launch/benchmark house                # all three, or some:
python launch/benchmark house lines tests install
python launch/benchmark house install --checkpoint=runs/javanese/fold_0
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

from absl import app

from launch.benchmark import real_clips, recognition
from launch.benchmark.figures import record

_ROOT = pathlib.Path(__file__).parents[2]
_NOT_SOURCE = ('tests/', 'docs/')
_PYTEST = ('pytest', '-q', '-n', '2', '--dist', 'loadfile')


def main(argv: list[str]) -> None:
  """Measures the given parts, or all."""
  parts = {'lines': _lines, 'tests': _tests, 'install': _install}
  if not set(argv) <= set(parts):
    raise app.UsageError(f'expected some of {", ".join(parts)}')
  for name in argv or parts:
    parts[name]()


def _lines() -> None:
  """Records lines and files of git-tracked Python and shell, without tests."""
  tracked = subprocess.check_output(
    ['git', 'ls-files', '*.py', '*.sh'], cwd=_ROOT, text=True
  )
  lines = [
    len((_ROOT / name).read_text('utf-8').splitlines())
    for name in tracked.splitlines()
    if not name.startswith(_NOT_SOURCE)
  ]
  record('house.source_lines', sum(lines), 'lines, without tests')
  record('house.source_files', len(lines), 'files, without tests')
  record('house.longest_file_lines', max(lines), 'lines, without tests')


def _tests() -> None:
  """Records the seconds of both test runs; stops if one fails."""
  for name, more in (('default', ()), ('all', ('-m', ''))):
    start = time.monotonic()
    subprocess.run(
      [sys.executable, '-m', *_PYTEST, *more], cwd=_ROOT, check=True
    )
    seconds = time.monotonic() - start
    record(f'house.{name}_tests_seconds', seconds, 'seconds, two processes')


def _install() -> None:
  """Records the size of the installed wheel, and seconds to its answers.

  Before the first answer, packages are in pip's cache, and caches of
  recognition are empty. TensorFlow is not installed.
  """
  clip = real_clips.ravdess('01-*.mp4')[0].resolve()
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    pip = '-m', 'pip', '--quiet'
    commit = f'git+file://{_ROOT}'
    _run(folder, sys.executable, *pip, 'wheel', '--no-deps', commit)
    (wheel,) = folder.glob('*.whl')
    _run(folder, sys.executable, *pip, 'download', '-d', 'cached', wheel)
    _run(folder, sys.executable, '-m', 'venv', 'venv')
    before = _megabytes(folder / 'venv')
    own = folder / 'venv' / 'bin'
    (folder / 'empty').mkdir()
    start = time.monotonic()
    _run(folder, own / 'python', *pip, 'install', wheel)
    print(f'installed in {time.monotonic() - start:.1f} s')
    _run(folder / 'empty', own / 'avemotion', clip, XDG_CACHE_HOME=name)
    seconds = time.monotonic() - start
    size = _megabytes(folder / 'venv') - before
    recognition.new_process(own / 'avemotion', clip)
  unit = 'seconds, packages in the cache of pip'
  record('house.first_answer_seconds', seconds, unit)
  record('house.core_install_megabytes', size, 'MB')


def _run(
  folder: pathlib.Path, *command: str | pathlib.Path, **environment: str
) -> None:
  """Runs a command in a folder, without this checkout on its path."""
  inherited = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}
  subprocess.run(command, cwd=folder, env=inherited | environment, check=True)


def _megabytes(folder: pathlib.Path) -> float:
  files = (path for path in folder.rglob('*') if path.is_file())
  return sum(path.lstat().st_size for path in files) / 1e6
