#!/usr/bin/env bash
# Makes the network that ships: `bash experiments/student.sh --data=fer2013.csv`, about an hour and a half of one core.
# It goes on where it was stopped. Flags go to both trainings.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
source environment.sh
choose_python requirements-dev.txt  # exporting takes more than training

"$python" model_train.py --flagfile=experiments/student.flags "$@"
"$python" -m fer_ensemble draw_sample --output=experiments/drawings.csv.gz --images=1680 --seed=1
"$python" model_train.py --flagfile=experiments/student_photos.flags "$@"
"$python" -m fer_ensemble export experiments/student_photos/exp_none/resnet9_0 --asset "$@"
