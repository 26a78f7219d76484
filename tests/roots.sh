#!/usr/bin/env bash
# deploy/make-root and deploy/in-root as far as no package is needed: which root a suite gets, when it is made anew, and
# that clones that use it at once do not see each other. A debootstrap and a chroot of its own make an empty root.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
if [ "$(id -u)" -ne 0 ] || ! unshare --mount --pid --fork true 2>/dev/null; then
    echo "skipped: a Debian root needs root and leave to mount" >&2
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
fail() {
    echo "$*" >&2
    exit 1
}
mkdir -p "$work/bin" "$work/one" "$work/two"
cat >"$work/bin/debootstrap" <<'SH'
#!/bin/sh
[ ! -e "$PICAM_CACHE/broken" ] || exit 1
for argument; do case $argument in /*.new) root=$argument ;; esac; done
echo made >>"$PICAM_CACHE/made"
mkdir -p "$root/etc/apt" "$root/etc/dpkg/dpkg.cfg.d" "$root/usr/sbin" "$root/var/cache/apt/archives" "$root/proc" \
    "$root/dev" "$root/run" "$root/tmp"
SH
cat >"$work/bin/chroot" <<'SH'
#!/bin/sh
root=$1
shift
case $1 in
env) shift 2; cd "$root" && exec "$@" ;; # in-root's command, in the root though not confined to it
esac
SH
chmod +x "$work"/bin/*
export PATH=$work/bin:$PATH PICAM_CACHE=$work/cache
for clone in one two; do
    mkdir -p "$work/$clone/tests/vm"
    cp -r "$top/deploy" "$work/$clone/"
    cp "$top"/tests/vm/packages* "$work/$clone/tests/vm/"
done
make_root() { "$work/$1/deploy/make-root" "$2"; }
times_made() { wc -l <"$PICAM_CACHE/made"; }

# Two clones at once: one root.
make_root one trixie >"$work/first" &
first=$!
second=$(make_root two trixie)
wait "$first"
[ "$(cat "$work/first")" = "$second" ] || fail "two clones have $(cat "$work/first") and $second"
[ "$(times_made)" = 1 ] || fail "a root was made $(times_made) times for two clones"
[ -d "$second" ] && [ ! -e "$second.new" ] || fail "no root at $second"

# What a clone makes in there is its own, and the root stays as it is.
"$work/one/deploy/in-root" "$second" sh -c 'echo one >build/made'
"$work/two/deploy/in-root" "$second" sh -c '[ ! -e build/made ] && touch build/made' || fail "a clone sees another's /build"
! "$work/one/deploy/in-root" "$second" sh -c 'touch mine' 2>/dev/null || fail "a command can write to the root"
"$work/one/deploy/in-root" "$second" sh -c '[ "$(cat build/made)" = one ] && touch ccache/x src/../tmp/x' || fail "/build is not kept"
"$work/two/deploy/in-root" "$second" sh -c '[ -e ccache/x ] && [ ! -e tmp/x ]' || fail "the compiler cache is not shared, or /tmp is"

# Other packages: another root, beside it.
echo a-package >>"$work/two/deploy/packages-build"
third=$(make_root two trixie)
[ "$third" != "$second" ] && [ -d "$third" ] && [ -d "$second" ] || fail "$third for other packages than $second"

# An old one is made anew, but not while a command runs in it, and what was built with it is gone.
touch -d '31 days ago' "$second/.picam-root"
mkfifo "$work/go"
"$work/one/deploy/in-root" "$second" sh -c 'touch build/started; read -r _; [ -e .picam-root ]' <>"$work/go" &
user=$!
for _ in $(seq 500); do [ ! -e "$work/one/build/in-root/trixie/started" ] || break; sleep 0.02; done
make_root one trixie >"$work/renewed" &
renewing=$!
waits() { grep -q -- "-> FLOCK .*:$(stat -c %i "$second.used") " /proc/locks; }
for _ in $(seq 500); do ! waits || break; sleep 0.02; done
waits && [ -e "$second.new/.picam-root" ] || fail "an old root is not made anew, or without waiting for who uses it"
echo go >"$work/go"
wait "$user" || fail "a root was replaced under a command"
wait "$renewing"
[ "$(cat "$work/renewed")" = "$second" ] && [ ! -e "$second.new" ] || fail "the new root is not in its place"
[ -n "$(find "$second/.picam-root" -mmin -5)" ] || fail "the root is the old one"
sed -i 's/ [0-9]*$/ 1/' "$second/.picam-root" # made within the same second, its stamp may be the same
"$work/one/deploy/in-root" "$second" sh -c '[ ! -e build/made ]' || fail "what another root made is still in /build"

# Without a mirror the old one serves; without an old one it is a failure that leaves nothing.
touch -d '31 days ago' "$second/.picam-root"
touch "$PICAM_CACHE/broken"
[ "$(make_root one trixie 2>"$work/said")" = "$second" ] && grep -q "stays as it is" "$work/said" || fail "an old root does not serve: $(cat "$work/said")"
! make_root one bookworm-backports >"$work/said" 2>/dev/null || fail "a root that could not be made"
[ -z "$(cat "$work/said")" ] && [ -z "$(find "$PICAM_CACHE/roots" -maxdepth 1 -name '*.new' -o -maxdepth 1 -name 'bookworm-*' -type d)" ] || fail "it left something"
rm "$PICAM_CACHE/broken"

# Those for other packages go when nobody has used them for two weeks; one in use stays.
touch -d '15 days ago' "$third.used"
touch -d '31 days ago' "$second/.picam-root"
flock "$third.used" "$work/one/deploy/make-root" trixie >/dev/null
[ -d "$third" ] || fail "a root that is in use was removed"
touch -d '15 days ago' "$third.used"
touch -d '31 days ago' "$second/.picam-root"
make_root one trixie >/dev/null
[ ! -e "$third" ] && [ ! -e "$third.used" ] && [ -d "$second" ] || fail "a root that nobody uses is still there"
echo "made $(times_made) roots"
