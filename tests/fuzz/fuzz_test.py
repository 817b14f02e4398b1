"""Tests that damaged files raise declared errors in little time and memory.

`python launch/benchmark field_fuzz` runs more cases.
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
  # Some damage is harmless.
  kinds = {each['outcome'] for each in found}
  assert 'typed' in kinds
