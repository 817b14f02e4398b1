"""Measures the documents: pages, docstrings and code blocks.

python launch/benchmark words                # all, or some:
python launch/benchmark words pages docstrings blocks
"""

import ast
import pathlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from xml.etree import ElementTree

from absl import app

from launch.benchmark.figures import record

_ROOT = pathlib.Path(__file__).parents[2]
# Openings that no docstring should have (docs/development.md).
_OPENINGS = re.compile(r'(What|Of|Whether|None of)\b')
_DOCUMENTED = ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef


def main(argv: list[str]) -> None:
  """Measures the given parts, or all."""
  parts = {'pages': _pages, 'docstrings': _docstrings, 'blocks': _blocks}
  if not set(argv) <= set(parts):
    raise app.UsageError(f'expected some of {", ".join(parts)}')
  for name in argv or parts:
    parts[name]()


def _pages() -> None:
  """Records the lines of the README, and the pages of the site."""
  readme = (_ROOT / 'README.md').read_text('utf-8')
  record('words.readme_lines', len(readme.splitlines()), 'lines')
  docs = _ROOT / 'docs'
  pages = [*docs.glob('*.md'), *docs.glob('reference/*.md')]
  pages += docs.glob('*.ipynb')
  record('words.doc_pages', len(pages), 'pages')


def _docstrings() -> None:
  """Counts docstrings with a forbidden opening, and lists them."""
  opening = [
    where for where, text in _all_docstrings() if _OPENINGS.match(text)
  ]
  print('\n'.join(opening))
  unit = 'docstrings that open with What, Of, Whether or None of'
  record('words.docstrings_opening_with_what', len(opening), unit)


def _all_docstrings() -> Iterator[tuple[str, str]]:
  """Yields the place and the text of each docstring of the tracked source."""
  tracked = subprocess.check_output(
    ['git', 'ls-files', '*.py'], cwd=_ROOT, text=True
  )
  for name in tracked.splitlines():
    for node in ast.walk(ast.parse((_ROOT / name).read_text('utf-8'))):
      if isinstance(node, _DOCUMENTED) and (text := ast.get_docstring(node)):
        yield f'{name}:{node.body[0].lineno}', text


def _blocks() -> None:
  """Runs the code blocks of the documents, and counts those that pass."""
  with tempfile.TemporaryDirectory() as folder:
    report = pathlib.Path(folder, 'report.xml')
    command = sys.executable, '-m', 'pytest', '-q', '-m', 'slow'
    tests = 'tests/docs_test.py', f'--junitxml={report}'
    subprocess.run([*command, *tests], cwd=_ROOT, check=True)
    cases = ElementTree.parse(report).iter('testcase')
    passed = sum(len(case) == 0 for case in cases)  # A skip is a child.
  record('words.code_blocks_run', passed, 'blocks of the README and the docs')
