"""launch/compile_tpu.py without libtpu: its arguments, counts and verdicts."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

LAUNCH = pathlib.Path(__file__).parents[2] / 'launch'
# What the script counts, on eight devices of the host. In a process of its
# own, because the script chooses the platform before it imports JAX.
COUNT = """
import collections, json
import compile_tpu
import jax
import jax.numpy as jnp
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

mesh = jax.make_mesh((2, 4), ('fold', 'data'), axis_types=(AxisType.Auto,) * 2)


def collectives(function, before, after):
  placed = jax.ShapeDtypeStruct(
    (2, 8, 8), jnp.float32, sharding=NamedSharding(mesh, before)
  )
  jitted = jax.jit(function, out_shardings=NamedSharding(mesh, after))
  return compile_tpu.count_collectives(jitted.lower(placed).compile().as_text())


def flops(function, *shapes):
  jaxpr = jax.make_jaxpr(function)(*map(jnp.ones, shapes))
  return compile_tpu.count_flops(jaxpr)


def recurrent(kernel, rows):
  return jax.lax.scan(lambda h, x: (h @ kernel + x, None), rows[0], rows)


def convolve(images, kernel):
  return jax.lax.conv_general_dilated(
    images, kernel, (2, 2), 'VALID', dimension_numbers=('NHWC', 'HWIO', 'NHWC')
  )


def problems(data_axis=1, takes_state=True, **measured):
  program = compile_tpu.Program(
    'epoch', 'TPU', (4, data_axis), takes_state, None, ()
  )
  values = dict(num_bytes=10, donated_bytes=4, collectives={}) | measured
  row = compile_tpu.Compiled(program, flops=1, seconds=1, **values)
  return list(compile_tpu.problems([row], memory=10))


all_reduce = collections.Counter({'all-reduce': 2})
print(json.dumps({
  'mean over data': collectives(
    lambda x: x.mean(1), P('fold', 'data'), P('fold')
  ),
  'gathered over data': collectives(
    lambda x: x, P('fold', 'data'), P('fold')
  ),
  'mean within folds': collectives(lambda x: x.mean(1), P('fold'), P('fold')),
  'product': flops(jnp.matmul, (3, 4), (4, 5)),
  'vmapped product': flops(jax.vmap(jnp.matmul), (6, 3, 4), (6, 4, 5)),
  'scanned product': flops(recurrent, (4, 4), (7, 3, 4)),
  'jitted product': flops(jax.jit(jnp.matmul), (3, 4), (4, 5)),
  'convolution': flops(convolve, (2, 7, 7, 3), (3, 3, 3, 5)),
  'good': problems(),
  'good with a data axis': problems(data_axis=2, collectives=all_reduce),
  'good without a state': problems(takes_state=False, donated_bytes=0),
  'too large': problems(num_bytes=11),
  'communicates': problems(collectives=all_reduce),
  'copies': problems(donated_bytes=0),
}))
"""


def run(*arguments, **environment):
  return subprocess.run(
    [sys.executable, *arguments],
    env=os.environ | environment,
    capture_output=True,
    text=True,
    check=False,
  )


@pytest.fixture(scope='module')
def counted():
  ran = run(
    '-c',
    COUNT,
    PYTHONPATH=str(LAUNCH),
    XLA_FLAGS='--xla_force_host_platform_device_count=8',
  )
  assert ran.returncode == 0, ran.stderr
  return json.loads(ran.stdout)


def test_collectives_are_counted_by_kind(counted):
  assert counted['mean over data'] == {'all-reduce': 1}
  assert counted['gathered over data'] == {'all-gather': 1}


def test_folds_that_share_nothing_hold_no_collective(counted):
  assert counted['mean within folds'] == {}


def test_flops_are_two_for_each_multiplication(counted):
  assert counted['product'] == counted['jitted product'] == 2 * 3 * 4 * 5
  assert counted['vmapped product'] == 6 * counted['product']
  # 3 × 3 places of a 3 × 3 kernel on 2 images, from 3 channels to 5.
  assert counted['convolution'] == 2 * (2 * 3 * 3 * 5) * (3 * 3 * 3)


def test_flops_of_a_loop_count_as_often_as_it_runs(counted):
  assert counted['scanned product'] == 7 * 2 * 3 * 4 * 4


@pytest.mark.parametrize(
  ('case', 'message'),
  [
    ('too large', '11 bytes do not fit into 10'),
    ('communicates', 'no data axis, yet there is 2 all-reduce'),
    ('copies', 'the state is copied, not donated'),
  ],
)
def test_a_bad_program_is_named(counted, case, message):
  assert counted[case] == [f'epoch: {message}']


@pytest.mark.parametrize(
  'case', ['good', 'good with a data axis', 'good without a state']
)
def test_a_good_program_is_let_through(counted, case):
  assert counted[case] == []


def test_a_missing_libtpu_is_one_line_that_says_what_to_install():
  hide = (
    'import runpy, sys; sys.modules["libtpu"] = None;'
    f'sys.argv = [{str(LAUNCH / "compile_tpu.py")!r}];'
    'runpy.run_path(sys.argv[0], run_name="__main__")'
  )
  ran = run('-c', hide)
  assert ran.returncode == 1
  (line,) = ran.stderr.splitlines()
  assert line.startswith('compile_tpu.py: libtpu is missing')
  assert "pip install 'jax[tpu]==" in line


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (['v5e:2x4'], 'unexpected arguments: v5e:2x4'),
    (['--topologies=v5e:2x4'], "Unknown command line flag 'topologies'"),
  ],
)
def test_bad_arguments_are_told_without_a_traceback(arguments, message):
  ran = run(str(LAUNCH / 'compile_tpu.py'), *arguments)
  assert ran.returncode == 1
  assert message in ran.stdout + ran.stderr
  assert 'Traceback' not in ran.stderr
