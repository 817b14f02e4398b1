"""The documents: their code runs, their links lead somewhere, flags exist."""

import dataclasses
import doctest
import functools
import importlib
import importlib.util
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import warnings

import pytest
from sybil import Document
from sybil.parsers import myst

from avemotion.apps import commands
from avemotion.synthetic import corpus
from avemotion.training.config import Config

ROOT = pathlib.Path(__file__).parents[1]
DOCS = ROOT / 'docs'
NOTEBOOK = DOCS / 'tutorial.ipynb'
# Pages of figures and of history quote commands that take hours.
NOT_FOR_USERS = 'results.md', 'performance.md', 'log.md'
USER_PAGES = [
  ROOT / 'README.md',
  *(
    page for page in sorted(DOCS.glob('*.md')) if page.name not in NOT_FOR_USERS
  ),
]
# What a page's blocks import beyond the extra `test`.
NEEDS = {'docs/export.md': 'onnxruntime'}
FORBIDDEN = (
  r'\bstrangers?\b',
  r'index-url',
  r'(?:^|[\s`\'"=(])/(?!mnt/)[a-z]+/',  # an absolute path
)
PACKAGES = (
  'avemotion.models',
  'avemotion.recognition',
  'avemotion.features',
  'avemotion.data',
  'avemotion.training',
  'avemotion.evaluation',
  'avemotion.export',
  'tfds_ravdess',
)
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclasses.dataclass(frozen=True)
class Block:
  """A block of code of a page, or a cell of a notebook."""

  page: str
  line: int  # Of a notebook, the number of the cell.
  language: str
  source: str

  def run(self, namespace, folder):
    if self.language == 'sh':
      _run_shell(self.source, folder)
    elif self.source.startswith('>>>'):
      self._run_doctest(namespace)
    else:
      # Lines are those of the page, for a traceback to name.
      code = '\n' * self.line + self.source
      exec(compile(code, ROOT / self.page, 'exec'), namespace)

  def _run_doctest(self, namespace):
    test = doctest.DocTestParser().get_doctest(
      self.source, namespace, self.page, str(ROOT / self.page), self.line
    )
    report = []
    runner = doctest.DocTestRunner(verbose=False, optionflags=OPTIONS)
    runner.run(test, out=report.append, clear_globs=False)
    namespace.update(test.globs)
    if runner.failures:
      pytest.fail(''.join(report), pytrace=False)


def blocks_of(page):
  """The blocks of a page that run, in order; skip: next leaves one out."""
  name = str(page.relative_to(ROOT))
  parsers = [myst.CodeBlockParser(language) for language in ('python', 'sh')]
  skipped = False
  for example in Document.parse(str(page), *parsers, myst.SkipParser()):
    if isinstance(example.parsed, tuple):
      assert example.parsed == ('next', None), f'{name}:{example.line}'
      assert not skipped, f'{name}:{example.line}: two skips, one after another'
      skipped = True
    elif skipped:
      skipped = False
    else:
      language = example.region.lexemes['arguments']
      yield Block(name, example.line, language, example.parsed)
  assert not skipped, f'{name}: the last skip has no block of python or sh'


def cells():
  """The cells of the tutorial, without those that install something."""
  if not NOTEBOOK.exists():
    return
  notebook = json.loads(NOTEBOOK.read_text('utf-8'))
  for number, cell in enumerate(notebook['cells'], start=1):
    source = ''.join(cell['source'])
    if cell['cell_type'] != 'code' or 'pip install' in source:
      continue
    language = 'sh' if source.startswith('!') else 'python'
    lines = (line.lstrip('!') for line in source.splitlines(keepends=True))
    kept = (line for line in lines if not line.startswith('%'))
    name = str(NOTEBOOK.relative_to(ROOT))
    yield Block(name, number, language, ''.join(kept))


BLOCKS = [block for page in USER_PAGES for block in blocks_of(page)]
BLOCKS += cells()


class Page:
  """The namespace and the folder that the blocks of a page share."""

  def __init__(self, name, folder):
    self.folder = folder
    self.namespace = {'__name__': '__main__'}
    self._waiting = [block for block in BLOCKS if block.page == name]

  def run(self, block):
    """Runs a block, after those before it that have not run."""
    while block in self._waiting:
      self._waiting.pop(0).run(self.namespace, self.folder)


@pytest.fixture(scope='module')
def media(tmp_path_factory):
  """A folder with the clips that the pages name."""
  folder = tmp_path_factory.mktemp('media')
  clip = folder / 'clip.mp4'
  corpus.make_clip(clip, 'surprised', 5, seconds=3.0, size=(640, 480))
  corpus.make_clip(folder / 'a.mp4', 'neutral', 5, seconds=2.0)
  corpus.make_clip(folder / 'b.mp4', 'angry', 5, seconds=2.0)
  (folder / 'clips').mkdir()
  rows = ['file,label,group']
  for speaker in range(1, 6):
    for emotion in ('happy', 'sad', 'angry'):
      name = f'speaker{speaker}_{emotion}.mp4'
      clip = folder / 'clips' / name
      corpus.make_clip(clip, emotion, speaker, seconds=1.0)
      rows.append(f'{name},{emotion},speaker{speaker}')
  (folder / 'clips' / 'labels.csv').write_text('\n'.join(rows) + '\n')
  return folder


@pytest.fixture(scope='module')
def page_named(media, tmp_path_factory):
  """The page of a name, which is made once."""

  @functools.cache
  def make(name):
    folder = tmp_path_factory.mktemp(pathlib.Path(name).stem) / 'here'
    shutil.copytree(media, folder)
    return Page(name, folder)

  return make


def _run_shell(source, folder):
  binaries = str(pathlib.Path(sys.executable).parent)
  path = os.pathsep.join([binaries, os.environ['PATH']])
  done = subprocess.run(
    ['bash', '-euo', 'pipefail', '-c', source],
    cwd=folder,
    env=os.environ | {'PATH': path, 'MPLBACKEND': 'agg'},
    stdin=subprocess.DEVNULL,
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
    timeout=600,
  )
  if done.returncode:
    pytest.fail(f'{source}\n{done.stdout}', pytrace=False)


@pytest.mark.slow
@pytest.mark.parametrize('block', BLOCKS, ids=lambda b: f'{b.page}:{b.line}')
def test_block(block, page_named, monkeypatch):
  if block.page in NEEDS:
    pytest.importorskip(NEEDS[block.page])
  page = page_named(block.page)
  monkeypatch.chdir(page.folder)
  monkeypatch.setenv('MPLBACKEND', 'agg')
  with warnings.catch_warnings():
    page.run(block)


def _text(page):
  """A page without its blocks of code."""
  text = page.read_text('utf-8')
  return re.sub(r'^( *)```.*?^ *```$', '', text, flags=re.M | re.S)


def _anchors(page):
  """The anchors of a page's headings, as GitHub and MyST make them."""
  for heading in re.findall(r'^#+ (.*)$', _text(page), re.M):
    kept = re.sub(r'[^\w\- ]', '', heading.strip().lower())
    yield kept.replace(' ', '-')


def _links():
  for page in sorted({*USER_PAGES, *DOCS.rglob('*.md')}):
    for target in re.findall(r'\]\(<?([^)>\s]+)>?\)', _text(page)):
      if not re.match(r'[a-z]+:', target):
        yield page, target


def test_links_and_pictures_are_there():
  if not (ROOT / 'avemotion').is_dir():
    pytest.skip('no checkout, to whose files the documents link')
  missing = []
  for page, target in _links():
    path, _, anchor = target.partition('#')
    other = page.parent / path if path else page
    if not other.exists() or (
      anchor and other.suffix == '.md' and anchor not in _anchors(other)
    ):
      missing.append(f'{page.relative_to(ROOT)}: {target}')
  assert not missing


def test_every_page_is_in_a_table_of_contents():
  listed = {DOCS / 'index.md'}
  for page in DOCS.rglob('*.md'):
    text = page.read_text('utf-8')
    for entries in re.findall(r'```{toctree}\n(.*?)```', text, re.S):
      for entry in re.findall(r'^[\w/-]+$', entries, re.M):
        found = [*page.parent.glob(f'{entry}.md')]
        found += page.parent.glob(f'{entry}.ipynb')
        assert len(found) == 1, f'{page.name}: no page {entry}'
        listed.add(found[0])
  assert listed == {*DOCS.rglob('*.md'), *DOCS.rglob('*.ipynb')} - {
    *(DOCS / 'results').glob('*.md')
  }


def test_every_public_module_is_in_the_reference():
  pages = (DOCS / 'reference').glob('*.md')
  text = '\n'.join(page.read_text('utf-8') for page in pages)
  listed = re.findall(r'automodule:: (\S+)', text)
  modules = []
  for package in PACKAGES:
    (folder,) = importlib.util.find_spec(package).submodule_search_locations
    for path in pathlib.Path(folder).glob('*.py'):
      if not path.name.startswith('_'):
        modules.append(f'{package}.{path.stem}')
  assert sorted(listed) == sorted(modules)


@pytest.mark.parametrize('page', USER_PAGES, ids=lambda page: page.name)
def test_words_that_no_user_page_says(page):
  text = page.read_text('utf-8')
  assert [word for word in FORBIDDEN if re.search(word, text, re.I)] == []


@functools.cache
def _flags(command):
  """The flags that a command's help names, without their dashes."""
  module = importlib.import_module(f'avemotion.apps.commands.{command}')
  lines = []
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr('builtins.print', lambda text='': lines.append(text))
    module.main(['--help'])
  named = re.findall(r'^ +--(\[no\])?(\w+)', '\n'.join(lines), re.M)
  switches = {f'no{name}' for prefix, name in named if prefix}
  return {name for _, name in named} | switches | {'help'}


def _calls(source):
  """The name and the arguments of each of our commands that a script calls."""
  for call in re.split(r'\n|&&', source.replace('\\\n', ' ')):
    words = shlex.split(call, comments=True)
    launched = re.fullmatch(r'launch/(\w+)\.py', ' '.join(words[1:2]))
    if words[:1] == ['avemotion']:
      named = words[1:2] and words[1] in commands.COMMANDS
      yield (words[1], words[2:]) if named else ('predict', words[1:])
    elif launched:
      yield launched[1], words[2:]


@pytest.mark.parametrize('page', USER_PAGES, ids=lambda page: page.name)
def test_flags_of_the_commands_exist(page):
  text = page.read_text('utf-8')
  unknown = []
  for source in re.findall(r'^ *```sh\n(.*?)^ *```$', text, re.M | re.S):
    for command, arguments in _calls(source):
      for argument in arguments:
        flag = re.match(r'--(\w+)', argument)
        if flag and flag[1] not in _flags(command) | {'version'}:
          unknown.append(f'avemotion {command} {argument}')
        key = re.match(r'--config\.([\w.]+)', argument)
        if key:
          functools.reduce(getattr, key[1].split('.'), Config())
  assert not unknown
