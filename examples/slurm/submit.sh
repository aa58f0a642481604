#!/bin/bash
# Measure, then extract by an array, then train and evaluate: submit.sh DATA OUT
# FOURTIER_CACHE is a folder that all nodes share.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
data=$(realpath "$1")
out=$(realpath -m "$2")
: "${FOURTIER_CACHE:?set it to a folder that all nodes share}"
measure=$(sbatch --parsable "$here/measure.sbatch" "$data")
extract=$(sbatch --parsable --dependency=afterok:"$measure" "$here/extract.sbatch" "$data")
evaluate=$(sbatch --parsable --dependency=afterok:"$extract" "$here/evaluate.sbatch" "$data" -o "$out")
echo "submitted $measure, $extract, $evaluate; see: squeue --me, fourtier status"
