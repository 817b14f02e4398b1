"""Tests of limits and notices; commands/demo_test.py runs the page."""

import pytest

from avemotion.apps import commands, page


@pytest.mark.parametrize('limit', ['max_megabytes', 'max_seconds'])
def test_limits_that_no_clip_meets_are_refused(limit, capsys):
  assert commands.main(['demo', f'--{limit}=0']) == 1
  assert limit in capsys.readouterr().err


@pytest.mark.parametrize(
  ('host', 'told'),
  [
    ('127.0.0.1', False),
    ('localhost', False),
    ('::1', False),
    ('0.0.0.0', True),
    ('192.168.0.7', True),
    ('studio.local', True),
  ],
)
def test_who_is_recorded_from_elsewhere_is_told(host, told):
  limits = page.told(host, 100, 120.0)
  assert limits.endswith(page.PRIVACY)
  assert ('recognise emotions' in limits) == told
