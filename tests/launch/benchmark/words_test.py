"""Tests of the counts of lines, pages and docstrings."""

import json
import subprocess

from launch.benchmark import figures, words

SOURCE = {
  'a.py': '"""What it holds."""\n\n\ndef f():\n  """Return."""\n',
  'b/c.py': 'class A:\n  """None of it."""\n  def g():\n    """Often."""\n',
  'untracked.py': '"""What nobody counts."""\n',
}
PAGES = (
  'docs/index.md',
  'docs/reference/models.md',
  'docs/tutorial.ipynb',
  'docs/results/table.md',  # Part of another page.
)


def test_documents_and_docstrings_are_counted(tmp_path, monkeypatch, capsys):
  for name, text in SOURCE.items():
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
  for name in PAGES:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).touch()
  (tmp_path / 'README.md').write_text('line\n' * 7)
  for command in ('init', 'add a.py b'):
    subprocess.run(['git', *command.split()], cwd=tmp_path, check=True)
  monkeypatch.setattr(words, '_ROOT', tmp_path)
  monkeypatch.setattr(figures, 'RESULTS', tmp_path / 'results.json')
  words.main(['pages', 'docstrings'])
  found = json.loads((tmp_path / 'results.json').read_text())
  assert {key: figure['value'] for key, figure in found.items()} == {
    'words.readme_lines': 7,
    'words.doc_pages': 3,
    'words.docstrings_opening_with_what': 2,
  }
  assert 'a.py:1\nb/c.py:2' in capsys.readouterr().out
