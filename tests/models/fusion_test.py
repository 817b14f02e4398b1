"""Branches and the whole network: every row of Tables I–III can be built."""

import functools
import subprocess
import sys

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from avemotion.models import AudioBranch, EmotionClassifier, VideoBranch
from avemotion.models.gru import IMPLEMENTATIONS
from avemotion.training import network, step
from avemotion.training.batch import Clips
from avemotion.training.config import OptimizerConfig

LENGTHS = {
  'video': jnp.array([9, 4, 1], jnp.int32),
  'audio': jnp.array([12, 12, 2], jnp.int32),
}


def make_features(video=20, audio=13):
  keys = jax.random.split(jax.random.key(0))
  return {
    'video': jax.random.normal(keys[0], (3, 9, video)),
    'audio': jax.random.normal(keys[1], (3, 12, audio)),
  }


def small(
  modalities=('video', 'audio'), audio=None, modality_dropout=0.0, **shared
):
  branches = {
    'video': VideoBranch(8, dense_features=4, **shared),
    'audio': AudioBranch(6, 1, dense_features=4, **(audio or {}), **shared),
  }
  return EmotionClassifier(
    8,
    **{name: branches[name] for name in modalities},
    modality_dropout=modality_dropout,
    dtype=shared.get('dtype'),
  )


@functools.partial(jax.jit, static_argnums=0)
def init(model, features, lengths=LENGTHS):
  return model.init(jax.random.key(0), features, lengths)


@functools.partial(
  jax.jit, static_argnames=('model', 'branches', 'train', 'mutable')
)
def apply(model, variables, features, lengths, *, branches=False, **options):
  method = model.with_branches if branches else None
  return model.apply(variables, features, lengths, method=method, **options)


def num_params(tree):
  return sum(leaf.size for leaf in jax.tree.leaves(tree))


# Counted by hand for the paper's inputs: gates, dense layer, batch norm.
@pytest.mark.parametrize(
  ('branch', 'width', 'expected'),
  [
    # Table I: 1 × 256 BN, and the best, 1 × 512 BN.
    (VideoBranch(256, 1), 512, 3 * 256 * 768 + 256 * 256 + 512),
    (VideoBranch(), 512, 3 * 512 * 1024 + 512 * 256 + 512),
    # Table II: 1 × 256 without BN, and the best, 3 × 256 BN.
    (AudioBranch(256, 1, batch_norm=False), 13, 3 * 256 * 269 + 257 * 256),
    (AudioBranch(), 13, 3 * 256 * (269 + 2 * 512) + 256 * 256 + 512),
  ],
)
def test_table_rows_have_the_parameters_that_the_paper_implies(
  branch, width, expected
):
  variables = branch.init(jax.random.key(0), jnp.ones((1, 2, width)))
  assert num_params(variables['params']) == expected


def test_fusion_joins_both_branches_of_512_units():
  model = EmotionClassifier(8, VideoBranch(), AudioBranch())
  variables = jax.eval_shape(
    model.init, jax.random.key(0), make_features(512, 13), LENGTHS
  )
  assert variables['params']['logits']['kernel'].shape == (512, 8)


@pytest.mark.parametrize(
  'modalities', [('video',), ('audio',), ('video', 'audio')]
)
def test_has_the_branches_asked_for_and_reads_only_them(modalities):
  model = small(modalities=modalities)
  features = make_features()
  variables = init(model, features)
  assert set(variables['params']) == {*modalities, 'logits'}

  def total(features):
    return apply(model, variables, features, LENGTHS).std()

  gradients = jax.grad(total)(features)
  for modality in ('video', 'audio'):
    reached = np.abs(gradients[modality]).max() > 0
    assert reached == (modality in modalities)


def test_reads_the_leading_coefficients_only():
  model = small(modalities=('audio',), audio={'num_inputs': 13})
  features = make_features(audio=40)
  variables = init(model, features)
  changed = {'audio': features['audio'].at[..., 13:].set(7.0)}
  np.testing.assert_array_equal(
    apply(model, variables, features, LENGTHS),
    apply(model, variables, changed, LENGTHS),
  )
  with pytest.raises(ValueError, match='13 or more features'):
    model.init(jax.random.key(0), make_features(audio=12), LENGTHS)


def test_answers_at_points_are_those_of_the_clip_cut_there():
  model = small()
  features = make_features()
  variables = init(model, features)
  points = {'video': jnp.array([[2, 9]] * 3), 'audio': jnp.array([[5, 12]] * 3)}
  logits = apply(model, variables, features, points)
  cut = {'video': features['video'][:, :2], 'audio': features['audio'][:, :5]}
  ends = {'video': jnp.full(3, 2), 'audio': jnp.full(3, 5)}
  np.testing.assert_allclose(
    logits[:, 0], apply(model, variables, cut, ends), rtol=1e-5, atol=1e-6
  )


def test_the_video_branch_counts_less_where_the_voice_is_heard_too():
  model = small().clone(video_weight=0.25)
  features = make_features()
  lengths = {**LENGTHS, 'audio': jnp.array([12, 0, 2])}
  variables = init(model, features)
  found = apply(model, variables, features, lengths, branches=True)
  bias = variables['params']['logits']['bias']
  expected = 0.25 * (found['video'] - bias) + found['audio']
  np.testing.assert_allclose(found['joint'][::2], expected[::2], atol=1e-6)
  np.testing.assert_allclose(found['joint'][1], found['video'][1], atol=1e-6)


def test_statistics_standardise_and_are_not_trained():
  model = small(modalities=('audio',))
  features = make_features()
  variables = init(model, features)
  plain = apply(model, variables, features, LENGTHS)
  statistics = {'mean': jnp.full(13, 5.0), 'std': jnp.full(13, 2.0)}
  shifted = {'audio': features['audio'] * 2 + 5}
  moved = {**variables, 'statistics': {'audio': {'standardize': statistics}}}
  assert set(moved) == set(variables)
  np.testing.assert_allclose(
    apply(model, moved, shifted, LENGTHS), plain, rtol=1e-4, atol=1e-5
  )


def test_batch_norm_and_dropout_act_in_training_only():
  model = small(dropout_rate=0.5)
  features = make_features()
  variables = init(model, features)
  np.testing.assert_array_equal(
    apply(model, variables, features, LENGTHS),
    apply(model, variables, features, LENGTHS),
  )
  outcomes = [
    apply(
      model,
      variables,
      features,
      LENGTHS,
      train=True,
      mutable='batch_stats',
      rngs={'dropout': jax.random.key(seed)},
    )
    for seed in (0, 1)
  ]
  assert np.abs(outcomes[0][0] - outcomes[1][0]).max() > 0
  moved = outcomes[0][1]['batch_stats']['audio']['batch_norm']['mean']
  assert np.abs(moved).max() > 0
  assert 'batch_stats' not in small(batch_norm=False).init(
    jax.random.key(0), features, LENGTHS
  )


def test_bfloat16_gives_float32_logits_near_the_exact_ones():
  features = make_features()
  variables = small().init(jax.random.key(0), features, LENGTHS)
  exact = apply(small(), variables, features, LENGTHS)
  logits = apply(small(dtype=jnp.bfloat16), variables, features, LENGTHS)
  assert logits.dtype == jnp.float32
  assert 0 < np.abs(logits - exact).max() < 0.1


def test_wrong_modalities_are_told():
  features = make_features()
  with pytest.raises(ValueError, match='expected at least one branch'):
    small(modalities=()).init(jax.random.key(0), features, LENGTHS)
  with pytest.raises(ValueError, match='got features of'):
    small().init(jax.random.key(0), {'video': features['video']}, LENGTHS)


def test_importing_models_loads_no_heavy_package():
  heavy = ['tensorflow', 'mediapipe', 'librosa', 'matplotlib', 'av', 'PIL']
  script = (
    'import sys, avemotion.models;'
    f'print([name for name in {heavy} if name in sys.modules])'
  )
  ran = subprocess.run(
    [sys.executable, '-c', script], capture_output=True, text=True, check=True
  )
  assert ran.stdout.strip() == '[]'


def test_branches_by_themselves_are_the_model_with_the_other_at_zero():
  model = small()
  features = make_features()
  variables = init(model, features)
  logits = apply(model, variables, features, LENGTHS, branches=True)
  assert set(logits) == {'joint', 'video', 'audio'}
  np.testing.assert_array_equal(
    logits['joint'], apply(model, variables, features, LENGTHS)
  )
  # The last layer is linear: the logits add up, with the bias counted once.
  bias = variables['params']['logits']['bias'] + 0.0
  np.testing.assert_allclose(
    logits['video'] + logits['audio'] - bias, logits['joint'], atol=1e-5
  )
  other = {**features, 'audio': features['audio'] + 1}
  moved = apply(model, variables, other, LENGTHS, branches=True)
  np.testing.assert_array_equal(moved['video'], logits['video'])
  assert np.abs(moved['audio'] - logits['audio']).max() > 0
  single = small(modalities=('audio',))
  alone = single.init_with_output(
    jax.random.key(0), features, LENGTHS, method=single.with_branches
  )[0]
  assert set(alone) == {'joint'}


def test_a_missing_modality_contributes_nothing():
  model = small()
  features = make_features()
  variables = init(model, features)
  whole = apply(model, variables, features, LENGTHS, branches=True)
  unheard = {**LENGTHS, 'audio': jnp.array([0, 12, 0], jnp.int32)}
  logits = apply(model, variables, features, unheard)
  np.testing.assert_array_equal(logits[1], whole['joint'][1])
  np.testing.assert_allclose(logits[::2], whole['video'][::2], atol=1e-6)
  # At the clip's start there is no sound yet.
  points = {
    'video': jnp.full((3, 2), 4, jnp.int32),
    'audio': jnp.array([[0, 12]] * 3, jnp.int32),
  }
  over_time = apply(model, variables, features, points)
  begun = {name: lengths[:, 0] for name, lengths in points.items()}
  np.testing.assert_allclose(
    over_time[:, 0], apply(model, variables, features, begun), atol=1e-6
  )
  assert np.abs(over_time[:, 0] - over_time[:, 1]).max() > 0


def test_some_clips_of_a_batch_lose_one_branch_in_training_only():
  model = small(modality_dropout=0.5, batch_norm=False)
  one = make_features()
  features = {name: jnp.tile(x[:1], (900, 1, 1)) for name, x in one.items()}
  lengths = {'video': jnp.full(900, 9), 'audio': jnp.full(900, 12)}
  variables = init(model, features, lengths)
  exact = apply(model, variables, features, lengths, branches=True)
  logits = apply(
    model,
    variables,
    features,
    lengths,
    train=True,
    rngs={'dropout': jax.random.key(0)},
    branches=True,
  )
  like = {
    name: np.isclose(logits['joint'], rows, atol=1e-5).all(axis=-1).mean()
    for name, rows in exact.items()
  }
  assert like['joint'] == pytest.approx(0.5, abs=0.06)
  assert like['video'] == pytest.approx(0.25, abs=0.06)
  assert sum(like.values()) == pytest.approx(1)
  np.testing.assert_allclose(logits['video'], exact['video'], atol=1e-5)


def test_a_branch_that_takes_off_the_mean_ignores_a_constant():
  features = make_features()
  moved = {**features, 'audio': features['audio'] + 7.0}
  for cmn in (False, True):
    model = small(modalities=('audio',), audio={'cmn': cmn})
    variables = init(model, features)
    plain = apply(model, variables, features, LENGTHS)
    other = apply(model, variables, moved, LENGTHS)
    assert np.allclose(plain, other, atol=1e-4) == cmn


def test_the_mean_that_is_taken_off_is_of_valid_steps():
  model = small(modalities=('audio',), audio={'cmn': True})
  features = make_features()
  variables = init(model, features)
  padded = {'audio': features['audio'].at[2, 2:].set(1e3)}
  np.testing.assert_allclose(
    apply(model, variables, features, LENGTHS),
    apply(model, variables, padded, LENGTHS),
    atol=1e-5,
  )
  # With points, the mean covers the longest one.
  points = {'audio': jnp.array([[4, 12], [6, 12], [1, 2]])}
  np.testing.assert_allclose(
    apply(model, variables, features, points)[:, 1],
    apply(model, variables, features, LENGTHS),
    atol=1e-5,
  )
  empty = {'audio': jnp.zeros(3, jnp.int32)}
  assert np.isfinite(apply(model, variables, features, empty)).all()


def test_deltas_are_read_beside_their_features():
  model = small(modalities=('audio',), audio={'deltas': True})
  features = make_features()
  variables = init(model, features)
  kernel = variables['params']['audio']['gru_0']['cell']['input']['kernel']
  assert kernel.shape[0] == 26
  rows = features['audio']
  joined = jnp.concatenate(
    [rows, jnp.diff(rows, axis=1, prepend=rows[:, :1])], axis=-1
  )
  widened = {'mean': jnp.zeros(26), 'std': jnp.ones(26)}
  statistics = {'audio': {'standardize': widened}}
  np.testing.assert_allclose(
    apply(
      small(modalities=('audio',)),
      {**variables, 'statistics': statistics},
      {'audio': joined},
      LENGTHS,
    ),
    apply(model, variables, features, LENGTHS),
    atol=1e-6,
  )


class MeanBranch(nn.Module):
  """A user's own branch: a dense layer on the mean of the valid steps."""

  @nn.compact
  def __call__(self, inputs, lengths, *, train):
    valid = jnp.arange(inputs.shape[1]) < lengths[:, None]
    mean = (inputs * valid[..., None]).sum(1) / lengths[:, None]
    return nn.Dropout(0.1, deterministic=not train)(nn.Dense(5)(mean))


def test_mean_and_std_of_what_is_read_pass_by_the_layers():
  features = make_features()['audio']
  branch = AudioBranch(
    num_layers=0, skip=True, batch_norm=False, dense_features=4
  )
  variables = branch.init(jax.random.key(0), features)
  lengths = LENGTHS['audio']
  found = branch.apply(variables, features, lengths)
  dense = variables['params']['dense']
  for row, length, vector in zip(features, lengths, found, strict=True):
    known = row[:length]
    pooled = jnp.concatenate([known.mean(0), jnp.maximum(known.std(0), 0.01)])
    expected = pooled @ dense['kernel'] + dense['bias']
    np.testing.assert_allclose(vector, expected, atol=1e-4)
  with pytest.raises(ValueError, match='skip'):
    AudioBranch(num_layers=0).init(jax.random.key(0), features)


def test_a_clip_that_is_far_from_the_training_clips_is_doubted():
  features = make_features()['video']
  sure = VideoBranch(8, dense_features=4)
  unsure = sure.clone(doubt=0.5)
  variables = sure.init(jax.random.key(0), features)
  # One clip lies at the training mean, one three stds away, one twelve.
  shift = jnp.array([0.0, 3.0, 12.0])[:, None, None]
  steady = 1e-3 * features + shift
  plain, doubted = (
    branch.apply(variables, steady, LENGTHS['video'])
    for branch in (sure, unsure)
  )
  factors = np.array([1, (0.5 / 3) ** 4, (0.5 / 12) ** 4])[:, None]
  np.testing.assert_allclose(doubted, plain * factors, rtol=1e-2, atol=1e-6)


def test_a_clip_without_a_modality_has_no_part_in_batch_norm():
  model = small()
  features = make_features()
  variables = init(model, features)
  missing = {**LENGTHS, 'video': jnp.array([9, 4, 0], jnp.int32)}
  _, updated = apply(
    model,
    variables,
    features,
    missing,
    train=True,
    mutable=('batch_stats',),
    rngs=None,
  )
  others = (
    {k: rows[:2] for k, rows in features.items()},
    {k: steps[:2] for k, steps in missing.items()},
  )
  _, of_others = apply(
    model, variables, *others, train=True, mutable=('batch_stats',), rngs=None
  )
  for name in ('mean', 'var'):
    np.testing.assert_allclose(
      updated['batch_stats']['video']['batch_norm'][name],
      of_others['batch_stats']['video']['batch_norm'][name],
      atol=1e-6,
    )


@pytest.mark.parametrize('modality', ['video', 'audio'])
def test_a_branch_learns_from_its_own_loss_alone(modality):
  model = small(modalities=('video', 'audio'))
  config = OptimizerConfig(joint_loss=0, branch_loss=1, clip_norm=1e9)
  tx = step.make_optimizer(config, step.make_schedule(config, 10, 1))
  variables = init(model, make_features())
  state = step.init_state(
    model,
    tx,
    {'video': 20, 'audio': 13},
    variables['statistics'],
    jax.random.key(0),
  )
  train = jax.jit(functools.partial(step.train_step, model, tx, config))

  def trained(scale):  # scale of the other branch's inputs
    features = make_features()
    other = 'audio' if modality == 'video' else 'video'
    features[other] = scale * features[other]
    batch = Clips(features, LENGTHS, jnp.arange(3), jnp.arange(3))
    after = state
    for number in range(2):  # The first step's learning rate is zero.
      key = jax.random.key(number)
      after, _ = train(after, batch, jax.nn.one_hot(jnp.arange(3), 8), key)
    return after.params

  one, two = trained(1.0), trained(-3.0)
  jax.tree.map(np.testing.assert_array_equal, one[modality], two[modality])
  assert not np.array_equal(
    one['logits']['kernel'], state.params['logits']['kernel']
  )


def test_a_classifier_with_a_users_own_branch_trains():
  model = EmotionClassifier(2, video=MeanBranch(), audio=AudioBranch(4, 1))
  config = OptimizerConfig(learning_rate=0.05, label_smoothing=0)
  tx = step.make_optimizer(config, step.make_schedule(config, 10, 1))
  widths = {'video': 20, 'audio': 13}
  variables = model.init(jax.random.key(0), *network.sample_inputs(widths))
  assert set(variables['params']) == {'video', 'audio', 'logits'}
  state = step.init_state(
    model, tx, widths, variables['statistics'], jax.random.key(0)
  )
  labels = jnp.array([0, 1, 1])
  batch = Clips(make_features(), LENGTHS, labels, labels)
  train = jax.jit(functools.partial(step.train_step, model, tx, config))
  losses = []
  for number in range(10):
    state, metrics = train(
      state, batch, jax.nn.one_hot(labels, 2), jax.random.key(number)
    )
    losses.append(metrics['loss'])
  assert losses[-1] < 0.5 * losses[0]


@pytest.fixture(name='traced', params=IMPLEMENTATIONS)
def _traced(request):
  """A classifier with every option, its variables, features and lengths."""
  options = {
    'cmn': True,
    'deltas': True,
    'skip': True,
    'doubt': 1.0,
    'pooling': ('mean', 'attention'),
    'dense_features': 4,
    'recurrence': request.param,
  }
  model = EmotionClassifier(
    3, VideoBranch(8, **options), AudioBranch(6, 1, **options)
  )
  return model, init(model, make_features()), make_features(), LENGTHS


def test_it_is_recomputed_under_remat(traced):
  model, variables, features, lengths = traced
  options = {'mutable': ['batch_stats'], 'rngs': {'dropout': jax.random.key(1)}}
  remat = nn.remat(EmotionClassifier, static_argnums=(3,))
  again = remat(3, model.video, model.audio)
  found, _ = again.apply(variables, features, lengths, True, **options)
  expected, _ = model.apply(variables, features, lengths, train=True, **options)
  np.testing.assert_allclose(found, expected, atol=1e-5)


def test_its_parts_of_a_batch_run_under_shard_map_with_its_checks(traced):
  model, variables, *inputs = traced
  mesh = jax.sharding.Mesh(jax.devices()[:1], ('clips',))
  clips = jax.sharding.PartitionSpec('clips')
  none = jax.sharding.PartitionSpec()

  def total(params, features, lengths):
    logits = model.apply({**variables, 'params': params}, features, lengths)
    return (logits**2).sum(), logits

  of_parts = jax.grad(total, has_aux=True)
  parts = jax.shard_map(
    of_parts, mesh=mesh, in_specs=(none, clips, clips), out_specs=(none, clips)
  )
  arguments = variables['params'], *inputs
  jax.tree.map(
    lambda one, other: np.testing.assert_allclose(one, other, atol=2e-4),
    jax.jit(parts)(*arguments),
    jax.jit(of_parts)(*arguments),
  )


def test_it_has_a_forward_mode(traced):
  model, variables, features, lengths = traced

  def logits(scale):
    scaled = jax.tree.map(lambda rows: scale * rows, features)
    return model.apply(variables, scaled, lengths)

  forward = jax.jit(jax.jacfwd(logits))(1.0)
  backward = jax.jit(jax.jacrev(logits))(1.0)
  np.testing.assert_allclose(forward, backward, atol=1e-4)


def test_it_promotes_no_rank_and_makes_no_nan(traced):
  model, variables, features, lengths = traced
  silent = jax.tree.map(jnp.zeros_like, lengths)
  points = jax.tree.map(lambda steps: jnp.stack([steps, steps], 1), lengths)
  with jax.numpy_rank_promotion('raise'), jax.debug_nans(True):
    for each in (lengths, silent, points):
      gradient = jax.grad(
        lambda each, n=each: model.apply(each, features, n).sum()
      )
      jax.jit(gradient)(variables)


@pytest.mark.parametrize('dtype', [None, jnp.float64])
def test_it_runs_in_64_bits(traced, dtype):
  model, *_ = traced
  with jax.enable_x64(True):
    wide = model.clone(
      video=model.video.clone(dtype=dtype),
      audio=model.audio.clone(dtype=dtype),
      dtype=dtype,
    )
    features = {k: np.float64(rows) for k, rows in make_features().items()}
    lengths = {k: np.int64(steps) for k, steps in LENGTHS.items()}
    variables = jax.jit(wide.init)(jax.random.key(0), features, lengths)
    logits = jax.jit(wide.apply)(variables, features, lengths)
    assert logits.dtype == jnp.float64
    float32 = jax.tree.map(jnp.float32, (variables, features))
    narrow = jax.jit(model.apply)(*float32, lengths)
    assert narrow.dtype == jnp.float32
    np.testing.assert_allclose(narrow, logits, atol=1e-4)


def test_without_statistics_nothing_is_standardised(traced):
  model, variables, *inputs = traced
  others = {k: variables[k] for k in ('params', 'batch_stats')}
  np.testing.assert_array_equal(
    model.apply(others, *inputs), model.apply(variables, *inputs)
  )
