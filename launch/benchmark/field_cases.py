"""Runs the tests of known problems of similar tools, case by case.

python launch/benchmark field_cases
"""

import collections
import pathlib
from typing import Any

import pytest

from launch.benchmark.figures import record

# Faults of users' files, lists and code, and the tests of each.
_CASES = {
  'eight channels of sound and more': (
    'features/media_test.py::test_of_many_channels_none_is_read_beyond_its_end',
  ),
  'one packet that is damaged': (
    'features/media_test.py::test_a_damaged_packet_costs_no_more_than_itself',
  ),
  'rate, channels or size that change within a clip': (
    'features/media_test.py::test_what_begins_again_goes_on',
    'features/media_test.py::test_sound_may_change_its_rate_and_channels',
  ),
  'a wrong length in the header': (
    'features/containers_test.py::test_length_is_known_of_what_a_browser_records'
    '_and_no_header_believed',
    'features/clip_test.py::test_a_clip_that_does_not_say_its_length_has_that_of'
    '_its_tracks',
  ),
  'a second track': (
    'features/clip_test.py::test_of_several_sound_tracks_one_that_is_not_silent'
    '_is_used',
    'features/clip_test.py::test_tracks_are_chosen_by_number',
    'features/clip_test.py::test_the_next_video_track_is_used_where_the_first_is'
    '_damaged',
  ),
  'stereo of opposite phase': (
    'features/downmix_test.py::test_opposite_phase_is_not_silence',
  ),
  'pixels that are not square': (
    'features/pixels_test.py::test_pixels_become_square',
  ),
  'a voice in the centre of 5.1': (
    'features/downmix_test.py::test_one_channel_of_many_is_heard_as_loud_as_it'
    '_is',
  ),
  'samples that are not finite; offsets and hum': (
    'features/media_test.py::test_samples_that_are_not_finite_count_as_zero',
    'recognition/windows_test.py::test_what_goes_on_without_change_is_no_voice',
    'recognition/windows_test.py::test_buzz_and_clicks_rise_for_too_short_to_be'
    '_a_voice',
  ),
  'JAX in 64 bits': ('models/fusion_test.py::test_it_runs_in_64_bits',),
  'remat, shard_map, forward mode, strict settings': (
    'models/fusion_test.py::test_it_is_recomputed_under_remat',
    'models/fusion_test.py::test_its_parts_of_a_batch_run_under_shard_map_with'
    '_its_checks',
    'models/fusion_test.py::test_it_has_a_forward_mode',
    'models/fusion_test.py::test_without_statistics_nothing_is_standardised',
  ),
  'JAX_DEBUG_NANS': (
    'models/fusion_test.py::test_it_promotes_no_rank_and_makes_no_nan',
  ),
  'a fork of a process that extracts': (
    'features/clip_test.py::test_a_fork_of_a_process_that_extracts_is_told',
  ),
  'lists of labels in many formats': (
    'data/lists_test.py::test_the_same_list_is_read_however_it_was_written',
    'data/lists_test.py::test_values_are_of_any_length_and_the_limit_is_as'
    '_before',
    'data/lists_test.py::test_a_list_that_is_not_clear_is_told_by_line',
  ),
  'numbers of speakers that are not whole': (
    'data/npz_test.py::test_no_number_becomes_another',
  ),
  'labels of any script': (
    'data/clips_test.py::test_text_of_any_script_is_read_of_bytes_too',
  ),
  'a codec without a decoder': (
    'features/containers_test.py::test_a_codec_without_a_decoder_is_told',
  ),
  'a tag that is not Unicode': (
    'features/containers_test.py::test_a_tag_that_is_not_unicode_is_no_fault',
  ),
  'the page: addresses instead of uploads': (
    'apps/gate_test.py::test_what_is_no_clip_of_the_folder_never_reaches_gradio',
  ),
  'the page: files of a killed server': (
    'apps/uploads_test.py::test_what_a_killed_process_left_goes_and_what_a_live'
    '_one_has_stays',
  ),
  'pictures of too many pixels': (
    'features/containers_test.py::test_a_picture_of_too_many_pixels_is_told',
  ),
  'forged .npz files': (
    'data/npz_test.py::test_what_a_file_only_claims_is_refused',
    'data/npz_test.py::test_a_small_file_that_would_fill_memory_is_refused',
  ),
  "forged files of VGG16's weights": (
    'features/vgg16_weights_test.py::test_nothing_is_read_that_is_not_of_vgg16',
    'features/vgg16_weights_test.py::test_a_pickle_runs_no_code',
  ),
  'one clip that ends a whole build': (
    'datasets/extraction_test.py::test_workers_go_on_after_one_was_killed',
  ),
  'a flipped bit in a checkpoint': (
    'training/checkpoints_test.py::test_a_flipped_bit_is_told_or_changes'
    '_nothing',
  ),
}


class _Outcomes:
  """Plugin of pytest that counts passed and failed tests by name."""

  def __init__(self) -> None:
    self.passed = collections.Counter[str]()
    self.failed = collections.Counter[str]()

  def pytest_runtest_logreport(self, report: Any) -> None:
    name = report.nodeid.partition('[')[0]
    if report.failed:
      self.failed[name] += 1
    elif report.when == 'call' and report.passed:
      self.passed[name] += 1


def main(_: list[str]) -> int:
  """Records the share of cases whose tests all pass."""
  tests = pathlib.Path('tests')
  names = [f'{tests / each}' for case in _CASES.values() for each in case]
  outcomes = _Outcomes()
  code = pytest.main(['-q', '-m', 'slow or not slow', *names], [outcomes])
  if code not in (0, 1):
    raise ValueError(f'pytest ended with {code}; run this in a checkout')
  passing = 0
  for case, own in _CASES.items():
    nodes = [f'{tests / each}' for each in own]
    passes = all(outcomes.passed[n] and not outcomes.failed[n] for n in nodes)
    passing += passes
    print(f'{"passes" if passes else "FAILS":7} {case}')
  record('field.cases_passing', passing / len(_CASES), 'fraction')
  return int(passing < len(_CASES))
