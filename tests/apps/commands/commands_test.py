"""Tests of the `avemotion` command: dispatch and help."""

import subprocess
import sys

import pytest

import avemotion
from avemotion.apps import commands
from avemotion.apps.commands import command_line


@pytest.mark.parametrize('arguments', [[], ['help'], ['--help'], ['help', 'x']])
def test_help_lists_every_command(arguments, capsys):
  assert commands.main(arguments) == 0
  listed = capsys.readouterr().out
  for name, does in commands.COMMANDS.items():
    assert f'  {name} ' in listed
    assert does in listed


def test_help_and_what_it_cannot_find_import_nothing_heavy():
  code = (
    'import sys; from avemotion.apps import commands;'
    " commands.main(['--help']); commands.main(['--version']);"
    " commands.main(['trian']);"
    " assert not {'jax', 'numpy', 'tensorflow', 'absl'} & set(sys.modules)"
  )
  subprocess.run([sys.executable, '-c', code], check=True)


@pytest.mark.parametrize('arguments', [['help', 'train'], ['train', '--help']])
def test_help_of_a_command_has_its_purpose_and_its_flags_alone(
  arguments, capsys
):
  assert commands.main(arguments) == 0
  text = capsys.readouterr().out
  assert text.startswith('Trains the folds of a protocol together')
  assert '--config.KEY=VALUE' in text
  assert '  --fold: the only fold to train' in text
  assert 'default: runs/CONFIG-DATE-' in text
  assert '--logtostderr' not in text
  assert 'avemotion.apps' not in text


def test_the_version_is_printed(capsys):
  assert commands.main(['--version']) == 0
  assert capsys.readouterr().out == f'avemotion {avemotion.__version__}\n'


def test_python_runs_it_as_a_module():
  ran = subprocess.run(
    [sys.executable, '-m', 'avemotion', '--version'],
    capture_output=True,
    text=True,
    check=True,
  )
  assert ran.stdout == f'avemotion {avemotion.__version__}\n'


@pytest.mark.parametrize(
  ('word', 'message'),
  [
    (
      'trian',
      "expected a command or a file, got 'trian'; did you mean 'train'?",
    ),
    ('zzz', "expected a command or a file, got 'zzz'; see avemotion --help"),
    ('none.mp4', 'none.mp4: expected a file, found none; check the path'),
    ('clips/none', 'clips/none: expected a file, found none; check the path'),
    (
      'https://a.b/c.mp4',
      'https://a.b/c.mp4: expected a file, got an address; download the clip'
      ' first',
    ),
  ],
)
def test_what_is_neither_command_nor_file_is_one_line(word, message, capsys):
  assert commands.main([word]) == 1
  assert capsys.readouterr() == ('', f'avemotion: {message}\n')


@pytest.mark.parametrize(
  ('module', 'needed'),
  [
    (
      'tensorflow_datasets',
      "TensorFlow and tensorflow-datasets: pip install 'avemotion[data]'",
    ),
    ('gradio.themes', "Gradio: pip install 'avemotion[demo]'"),
  ],
)
def test_a_library_that_is_missing_is_told_with_its_extra(
  module, needed, capsys
):
  def run():
    raise ModuleNotFoundError(f'No module named {module!r}', name=module)

  assert command_line.report_errors('x', run) == 1
  assert capsys.readouterr().err == f'avemotion x: needs {needed}\n'


def test_a_mistake_of_ours_is_not_hidden():
  def run():
    raise ModuleNotFoundError('No module named jay', name='jay')

  with pytest.raises(ModuleNotFoundError):
    command_line.report_errors('x', run)
