#!/usr/bin/env bash
# What a module uses of picam, each program that loads it exports (core/libcamera_module.symbols; picam-openh264.so uses
# nothing). A program that lacks one finds out when it first loads the module. BUILD_DIR names the build to look at.
set -euo pipefail
build=${BUILD_DIR:-$(cd "$(dirname "$0")/.." && pwd)/build/release}

names() { # LETTERS: of nm's types
    sed -nE "s/^[0-9a-f ]* $1 (_ZNK?5picam[^@]*).*/\1/p" | sort -u
}
check() { # MODULE PROGRAM
    missing=$(comm -23 <(nm -D "$build/$1" | names U) <(nm -D "$build/$2" | names '[TWV]'))
    if [ -n "$missing" ]; then
        echo "$2 does not export what $1 uses:"
        c++filt <<<"$missing"
        exit 1
    fi
}
check core/picam-libcamera.so fcgi/picam-snapshot
check core/picam-libcamera.so streamd/picam-streamd
check streamd/picam-openh264.so streamd/picam-streamd
