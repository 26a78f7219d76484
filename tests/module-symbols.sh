#!/usr/bin/env bash
# What the module of libcamera uses of a program, each program exports (core/libcamera_module.symbols). A program that
# lacks one finds out with its first camera. BUILD_DIR names the build to look at.
set -euo pipefail
build=${BUILD_DIR:-$(cd "$(dirname "$0")/.." && pwd)/build/release}

names() { # LETTERS: of nm's types
    sed -nE "s/^[0-9a-f ]* $1 (_ZNK?5picam[^@]*).*/\1/p" | sort -u
}
for program in fcgi/picam-snapshot streamd/picam-streamd; do
    missing=$(comm -23 <(nm -D "$build/core/picam-libcamera.so" | names U) <(nm -D "$build/$program" | names '[TWV]'))
    if [ -n "$missing" ]; then
        echo "$program does not export what picam-libcamera.so uses:"
        c++filt <<<"$missing"
        exit 1
    fi
done
