"""Tests of uploads, and their deletion."""

import os
import pathlib
import subprocess
import sys
import time

from avemotion.apps import uploads


def write(path, age):
  path.parent.mkdir(exist_ok=True)
  path.write_bytes(b'clip')
  os.utime(path, (time.time() - age,) * 2)
  return path


def test_files_go_when_they_are_old_at_whatever_depth(tmp_path):
  old = [write(tmp_path / 'old', 99.0), write(tmp_path / 'a' / 'old', 99.0)]
  new = write(tmp_path / 'a' / 'new', 1.0)
  uploads.sweep(tmp_path, longest=50.0)
  assert not any(path.exists() for path in old)
  assert new.exists()
  write(tmp_path / 'b' / 'old', 99.0)
  uploads.sweep(tmp_path, longest=50.0)
  assert not (tmp_path / 'b').exists()


def test_what_cannot_be_removed_does_not_keep_the_others(tmp_path, monkeypatch):
  files = [write(tmp_path / name, 99.0) for name in 'abc']
  unlink = pathlib.Path.unlink

  def refuse(path, missing_ok=False):
    if path == files[0]:
      raise PermissionError(path)
    unlink(path, missing_ok)

  monkeypatch.setattr(pathlib.Path, 'unlink', refuse)
  uploads.sweep(tmp_path, longest=50.0)
  assert [path.exists() for path in files] == [True, False, False]


def test_the_folder_is_swept_while_it_is_used_and_goes(monkeypatch):
  monkeypatch.setattr(uploads, '_BETWEEN_SWEEPS', 0.01)
  with uploads.swept_folder() as folder:
    for name in ('first', 'second'):  # Sweeps are repeated.
      path = write(pathlib.Path(folder, 'hash', name), 9999.0)
      for _ in range(1000):
        if not path.exists():
          break
        time.sleep(0.01)
      assert not path.exists()
  assert not os.path.exists(folder)


def test_of_two_names_in_one_folder_the_other_stays(tmp_path):
  first, second = (write(tmp_path / 'hash' / name, 0.0) for name in 'ab')
  uploads.delete(first)
  assert second.exists()
  uploads.delete(second)
  assert not second.parent.exists()
  uploads.delete(second)  # A second deletion is no error.


def test_what_a_killed_process_left_goes_and_what_a_live_one_has_stays(
  tmp_path, monkeypatch
):
  monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
  program = (
    'from avemotion.apps import uploads; import time\n'
    'with uploads.own_folder("avemotion_x_") as folder:\n'
    '  open(folder + "/private.wav", "w").close(); print(folder, flush=True)\n'
    '  time.sleep(60)'
  )
  environment = os.environ | {'TMPDIR': str(tmp_path)}
  with subprocess.Popen(
    [sys.executable, '-c', program],
    env=environment,
    stdout=subprocess.PIPE,
    text=True,
  ) as process:
    left = process.stdout.readline().strip()
    with uploads.own_folder('avemotion_x_') as own:
      assert os.path.exists(f'{left}/private.wav')
      process.kill()
      process.wait()
      with uploads.own_folder('avemotion_x_'):
        assert not os.path.exists(left)
        assert os.path.exists(own)
  assert not [*tmp_path.iterdir()]


def test_a_link_that_looks_like_what_was_left_leads_nowhere(
  tmp_path, monkeypatch
):
  monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
  kept = write(tmp_path / 'elsewhere' / 'kept', 0.0)
  (tmp_path / 'avemotion_x_link').symlink_to(kept.parent)
  with uploads.own_folder('avemotion_x_'):
    assert kept.exists()
