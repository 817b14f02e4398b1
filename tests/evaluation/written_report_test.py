"""Tests of the report of several runs."""

from avemotion.evaluation import report, runs, scores


def read(*workdirs):
  return [scores.score(run) for run in runs.read_runs(workdirs)]


def test_one_run_is_one_section(tmp_path, write_run):
  scored = read(write_run(tmp_path / 'my run', protocol='random80'))
  written = report.write_report(scored, tmp_path / 'new' / 'report')
  assert [path.name for path in written] == [
    'report.md',
    'report.html',
    'my_run.confusion.png',
    'my_run.reliability.png',
    'my_run.coverage.png',
    'my_run.curves.png',
  ]
  assert all(path.stat().length for path in written)
  text = written[0].read_text()
  assert 'Random folds share speakers' in text
  assert text.count('## `') == 1
  assert all(f']({path.name})' in text for path in written[2:])


def test_several_runs_are_compared_and_keep_their_pictures_apart(
  tmp_path, write_run
):
  a = write_run(tmp_path / 'a' / 'run', protocol='random80')
  b = write_run(
    tmp_path / 'b' / 'run', protocol='random80', audio={'features': 512}
  )
  c = write_run(
    tmp_path / 'c' / 'other', protocol='actor5', audio={'features': 1}
  )
  written = report.write_report(read(a, b, c), tmp_path / 'report')
  names = [path.name for path in written]
  assert len(set(names)) == len(names) == 3 + 3 * 4
  assert {'run.confusion.png', 'run.2.confusion.png'} < set(names)
  text = written[0].read_text()
  assert '![Accuracies beside the paper](comparison.png)' in text
  rows = [line for line in text.splitlines() if line.startswith('| `')]
  assert [row.split('|')[1].strip() for row in rows] == [
    '`run`',
    '`run`',
    '`other`',
  ]
  assert rows[-1].rstrip(' |').endswith('–')
  overview = ' '.join(text.partition('## `')[0].split())
  assert 'interval of the mean over folds, by bootstrap' in overview
  page = written[1].read_text()
  assert page.count('data:image/png;base64,') == 13
  assert 'http' not in page


def test_runs_in_a_bucket_are_reported_there(bucket, write_run):
  write_run(bucket / 'runs' / 'a', protocol='random80')
  write_run(bucket / 'runs' / 'b', protocol='actor5')
  found = runs.read_runs(['gs://bucket/runs'])
  assert [run.name for run in found] == ['a', 'b']
  scored = [scores.score(run) for run in found]
  written = report.write_report(scored, 'gs://bucket/report')
  assert str(written[0]) == 'gs://bucket/report/report.md'
  names = {path.name for path in (bucket / 'report').iterdir()}
  assert names == {path.name for path in written}
  assert '`gs:' not in (bucket / 'report' / 'report.md').read_text()
