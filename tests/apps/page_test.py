"""The page refuses what it cannot serve; launch/demo_test.py looks at it."""

import pytest

from avemotion.apps import commands


@pytest.mark.parametrize('limit', ['max_megabytes', 'max_seconds'])
def test_limits_that_no_clip_meets_are_refused(limit, capsys):
  assert commands.main(['demo', f'--{limit}=0']) == 1
  assert limit in capsys.readouterr().err
