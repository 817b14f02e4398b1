#!/usr/bin/env bash
# Trains on every worker of a TPU VM slice; see --help.
set -euo pipefail

usage() {
  cat <<'HELP'
Trains on every worker of a TPU VM slice, as one run over all its devices.

  launch/run_tpu.sh --tpu=NAME --zone=ZONE [--project=PROJECT] [--dry_run] \
    -- ARGUMENTS

ARGUMENTS are those of launch/train.py. The script copies the source tree to
~/avemotion on each worker, makes an environment there (Python 3.11,
'.[data,tpu]'), and runs launch/train.py --multihost.

  --tpu=NAME         the slice, made by: gcloud compute tpus tpu-vm create
  --zone=ZONE        zone of the slice
  --project=PROJECT  project of the slice; default: that of gcloud
  --dry_run          print the commands, one per line, and run none

Every worker reads the data set from the same path: TFDS's prepared files at
--config.data.data_dir=gs://BUCKET/DIRECTORY, an .npz in a bucket, or an .npz on
the disk of each worker. With several workers, all must reach the workdir:
--workdir=gs://BUCKET/DIRECTORY. To resume a run, repeat the command; with a
workdir in a bucket, this works on another slice too.
HELP
}

fail() {
  printf 'run_tpu.sh: %s\n' "$1" >&2
  exit 1
}

quote() { # Prints each argument after a space, quoted for a shell.
  if (($#)); then printf ' %q' "$@"; fi
}

run() { # Prints a command, and runs it unless this is a dry run.
  local words
  words=$(quote "$@")
  printf '%s\n' "${words:1}"
  [[ $dry_run ]] || "$@"
}

on_all_workers() {
  run gcloud compute tpus tpu-vm ssh "$tpu" "${location[@]}" --worker=all \
    --command="$1"
}

tpu='' zone='' project='' dry_run=''
while (($#)); do
  case $1 in
    --tpu=*) tpu=${1#*=} ;;
    --zone=*) zone=${1#*=} ;;
    --project=*) project=${1#*=} ;;
    --dry_run) dry_run=yes ;;
    --help) usage && exit ;;
    --) shift && break ;;
    *) fail "unknown argument '$1'; put those of train.py after --" ;;
  esac
  shift
done
[[ $tpu ]] || fail 'expected --tpu=NAME, the slice to train on; see --help'
[[ $zone ]] || fail 'expected --zone=ZONE, the zone of the slice; see --help'

workdir=runs/latest # train.py's own default
for argument; do
  case $argument in
    --workdir) fail 'write --workdir=DIRECTORY, with an equals sign' ;;
    --workdir=*) workdir=${argument#*=} ;;
  esac
done
case $workdir in
  gs://* | /*) ;;
  *) workdir=avemotion/$workdir ;;
esac

[[ $dry_run ]] || command -v gcloud >/dev/null ||
  fail "gcloud is missing; install it: https://cloud.google.com/sdk/docs/install"

location=(--zone="$zone")
[[ -z $project ]] || location+=(--project="$project")
root=$(cd "$(dirname "$0")/.." && pwd)
sources=("$root"/{LICENSE,NOTICE,README.md,pyproject.toml,setup.cfg} \
  "$root"/{avemotion,launch,tfds_ravdess})

on_all_workers 'mkdir -p avemotion'
run gcloud compute tpus tpu-vm scp --recurse "${sources[@]}" \
  "$tpu:avemotion" "${location[@]}" --worker=all
# TPU VMs may come with an older Python; uv brings 3.11.
on_all_workers "cd avemotion && python3 -m pip install --quiet --user uv &&\
 python3 -m uv venv --quiet --allow-existing --python=3.11 environment &&\
 python3 -m uv pip install --quiet --python=environment '.[data,tpu]'"
on_all_workers "cd avemotion &&\
 environment/bin/python launch/train.py --multihost$(quote "$@")"

if [[ $workdir == gs://* ]]; then
  printf '# The results are in %s\n' "$workdir"
  exit
fi
fetch=$(quote gcloud compute tpus tpu-vm scp --recurse "$tpu:$workdir" . \
  "${location[@]}" --worker=0)
printf '# The results are on worker 0. To fetch them:%s\n' "$fetch"
