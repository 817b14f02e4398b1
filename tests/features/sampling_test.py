"""Tests of sampling by time stamp, and of its prediction from packets."""

import types

import pytest

from avemotion.features import sampling

FPS = 30


def packets(times, discard=()):
  """Makes packets in the order of decoding, by their time stamps."""
  return [
    types.SimpleNamespace(
      size=1,
      pts=time,
      time_base=None if time is None else 1,
      is_discard=index in discard,
    )
    for index, time in enumerate(times)
  ]


def with_b_frames(number):
  """Lists times in the order of decoding: each third frame comes first."""
  order = [0]
  for first in range(1, number - 2, 3):
    order += [first + 2, first, first + 1]
  return [frame / FPS for frame in order]


def judge(foresight, times, discard=()):
  found = foresight.packets(packets(times, discard), 0.0)
  return [(packet.pts, needed) for packet, needed in found]


def test_the_needed_packets_are_the_sampled_frames():
  times = with_b_frames(121)
  foresight = sampling.Foresight()
  judged = judge(foresight, times)
  assert [time for time, _ in judged] == times
  chosen = [time for (time,) in sampling.sampled((t,) for t in sorted(times))]
  assert sorted(time for time, needed in judged if needed) == chosen
  assert not foresight.is_fulfilled
  assert all(foresight.expects(time) for time in chosen)
  assert foresight.is_fulfilled
  assert not foresight.expects(9.0)


@pytest.mark.parametrize('later', [[None], [0.1], [1e6], [2.0, 1.0]], ids=str)
def test_after_an_unreliable_stamp_every_packet_is_needed(later):
  times = with_b_frames(61)
  further = [*later, *with_b_frames(31)]
  foresight = sampling.Foresight()
  judged = judge(foresight, [*times, *further])
  assert [time for time, _ in judged] == [*times, *further]
  # The frames after a restart have stamps that were judged before.
  assert all(needed for _, needed in judged[len(times) + 1 :])


@pytest.mark.parametrize(
  ('times', 'discard'),
  [
    ([10.0, *[9.5] * 1000], ()),
    ([0.0] * 1000, ()),
    ([5.0, *[1.0 + n / 1e6 for n in range(1000)]], ()),
    ([5.0, *[n / FPS for n in range(1000)]], range(1, 1000)),
  ],
)
def test_few_packets_are_read_ahead_whatever_their_stamps(times, discard):
  given = 0

  def read():
    nonlocal given
    for given, packet in enumerate(packets(times, discard), 1):  # noqa: B007
      yield packet

  for number, _ in enumerate(sampling.Foresight().packets(read(), 0.0)):
    assert given - number <= 129
  assert given == len(times)
