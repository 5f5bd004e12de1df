#!/usr/bin/env bash
# tools/dist_train.sh CONFIG NUM_PROCESSES [options of tools/train.py]
# More machines: set NNODES, NODE_RANK, MASTER_ADDR and MASTER_PORT on each of them.
set -euo pipefail
if [ $# -lt 2 ]; then sed -n 2,3p "$0"; exit 2; fi
config=$1; processes=$2; shift 2
exec python -m torch.distributed.run \
    --nnodes "${NNODES:-1}" --node-rank "${NODE_RANK:-0}" \
    --master-addr "${MASTER_ADDR:-127.0.0.1}" --master-port "${MASTER_PORT:-29500}" \
    --nproc-per-node "$processes" \
    "$(dirname "$0")/train.py" "$config" --launcher pytorch "$@"
