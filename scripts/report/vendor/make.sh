#!/usr/bin/env bash
# Make the libraries of the report's page anew, from the npm registry, in the versions of package-lock.json.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command -v npm >/dev/null || { echo "error: npm is needed (Node 20 or newer)" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here"/{package.json,package-lock.json,three.entry.js} "$work"
cd "$work"
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
npx --no-install esbuild three.entry.js --bundle --minify --format=iife --global-name=THREE --target=es2022 \
  --charset=utf8 --legal-comments=none --log-level=warning --outfile=three.min.js
cp three.min.js "$here/three.min.js"
cp node_modules/three/LICENSE "$here/three.LICENSE"
cp node_modules/uplot/dist/uPlot.iife.min.js "$here/uplot.min.js"
cp node_modules/uplot/dist/uPlot.min.css "$here/uplot.min.css"
cp node_modules/uplot/LICENSE "$here/uplot.LICENSE"
(cd "$here" && sha256sum three.min.js uplot.min.js uplot.min.css)
