"""Damaged files of every kind end in a declared error, soon, in little memory.

`python launch/benchmark field_fuzz` does the same with more of them.
"""

import pytest

from tests.fuzz import fuzz, targets

CASES = 2000


@pytest.mark.slow
@pytest.mark.parametrize('name', targets.SHARES)
def test_damaged_files_end_in_declared_errors(name):
  count = round(targets.SHARES[name] * CASES)
  found = fuzz.run(count, only=name)
  assert len(found) == count
  assert [each for each in found if each['outcome'] == 'untyped'] == []
  assert max(each['seconds'] for each in found) < 30
  assert max(each['gigabytes'] for each in found) < 1
  # Some are harmless, and some are not.
  kinds = {each['outcome'] for each in found}
  assert 'typed' in kinds
