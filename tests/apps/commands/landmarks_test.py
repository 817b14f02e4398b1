"""`avemotion landmarks`."""

import landmark_files

from avemotion.apps.commands import landmarks
from avemotion.data.clips import ClipSet


def test_a_data_set_is_written_and_described(tmp_path, capsys):
  landmark_files.make_audio().to_npz(tmp_path / 'audio.npz')
  path = landmark_files.write_landmarks(tmp_path / 'in.npz')
  arguments = [
    f'--landmarks={path}',
    f'--dataset={tmp_path}/audio.npz',
    f'--output={tmp_path}/out.npz',
  ]
  assert landmarks.main(arguments) == 0
  printed = capsys.readouterr().out
  assert 'out.npz: 2 clips' in printed
  assert '68 face landmarks; 280 numbers a row, 2 to 5 rows' in printed
  clips = ClipSet.from_npz(tmp_path / 'out.npz')
  assert clips.feature_dims == {'video': 280, 'audio': 3}


def test_a_missing_file_is_one_line(tmp_path, capsys):
  absent, output = tmp_path / 'none.npz', tmp_path / 'out.npz'
  assert landmarks.main([f'--landmarks={absent}', f'--output={output}']) == 1
  (line,) = capsys.readouterr().err.splitlines()
  assert line.startswith('avemotion landmarks: ')
  assert 'none.npz: not a readable .npz' in line
  assert not output.exists()
