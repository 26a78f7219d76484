#!/usr/bin/env bash
# deploy/install-packages waits, with a word, for whoever holds a lock of apt's or dpkg's: apt's own processes here, with
# folders of their own in place of the machine's.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
if [ "$(id -u)" -ne 0 ]; then
    echo "skipped: dpkg installs for root alone"
    exit 77
fi
work=$(mktemp -d)
children=()
cleanup() {
    for child in "${children[@]}"; do
        kill -TERM "$child" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap cleanup EXIT
fail() {
    echo "FAILED: $1" >&2
    cat "$work"/*.log >&2
    exit 1
}
# until_true COMMAND…
until_true() {
    local ends=$((SECONDS + 60))
    until "$@"; do
        [ $SECONDS -lt $ends ] || return 1
        read -rt 0.1 <> <(:) || true
    done
}

mkdir -p "$work"/{deploy,etc/{apt.conf,preferences}.d,state/lists/partial,cache/archives/partial,repository,package/DEBIAN} \
    "$work"/root/var/lib/dpkg/{info,updates}
touch "$work/root/var/lib/dpkg/status"
cp "$top/deploy/install-packages" "$work/deploy/"
echo "deb [trusted=yes] file:$work/repository ./" >"$work/etc/sources.list"
cat >"$work/apt.conf" <<TEXT
Dir::Etc "$work/etc";
Dir::State "$work/state";
Dir::State::status "$work/root/var/lib/dpkg/status";
Dir::Cache "$work/cache";
DPkg::Options { "--root=$work/root"; };
APT::Sandbox::User "root";
TEXT
export APT_CONFIG=$work/apt.conf
for name in picam-test-one picam-test-two; do
    printf '%s\n' "Package: $name" 'Version: 1' 'Architecture: all' 'Maintainer: none' 'Description: of a test' >"$work/package/DEBIAN/control"
    dpkg-deb --build --root-owner-group "$work/package" "$work/repository/$name.deb" >/dev/null
    cat "$work/package/DEBIAN/control"
    printf 'Filename: ./%s.deb\nSize: %s\nSHA256: %s\n\n' "$name" "$(stat -c %s "$work/repository/$name.deb")" \
        "$(sha256sum "$work/repository/$name.deb" | cut -d' ' -f1)"
    echo "$name" >"$work/deploy/packages-$name"
done >"$work/repository/Packages"
in_root() { [ -e "$work/root/var/lib/dpkg/info/$1.list" ]; }

# waits_for PACKAGE LOCK APT-GET…: another apt-get stands still with a lock while PACKAGE is to be installed.
waits_for() {
    local package=$1 lock=$2
    shift 2
    rm -f "$work/held" "$work/go"
    : >"$work/install.log"
    mkfifo "$work/go"
    apt-get -q "$@" >"$work/holder.log" 2>&1 &
    local holder=$!
    children+=("$holder")
    until_true test -e "$work/held" || fail "$lock: nobody holds it"
    "$work/deploy/install-packages" "$package" >"$work/install.log" 2>&1 &
    local install=$!
    children+=("$install")
    until_true grep -q '^Waiting for process [0-9]* (apt-get)' "$work/install.log" || fail "$lock: no word about the wait"
    kill -0 $install 2>/dev/null || fail "$lock: it did not wait"
    ! in_root "$package" || fail "$lock: it was not held"
    echo >"$work/go"
    wait $holder || fail "$lock: its holder failed"
    wait $install || fail "$lock: the installation failed"
    in_root "$package" || fail "$lock: $package is not there"
    [ "$(grep -c '^Waiting' "$work/install.log")" -eq 1 ] || fail "$lock: more than a word"
    ! grep -q '^E:' "$work/install.log" || fail "$lock: an error that is none"
}
waits_for picam-test-one "apt's lists" -o "APT::Update::Pre-Invoke::=touch $work/held; read -r line <$work/go" update
waits_for picam-test-two "dpkg's database" -y -o "DPkg::Pre-Invoke::=touch $work/held; read -r line <$work/go" \
    --reinstall install picam-test-one

# What is no lock is an error at once.
echo picam-test-none >"$work/deploy/packages-none"
! "$work/deploy/install-packages" none >"$work/install.log" 2>&1 || fail "a package that is not there was no error"
grep -q 'Unable to locate package picam-test-none' "$work/install.log" || fail "no reason"
echo "deploy/install-packages: all as it should be"
