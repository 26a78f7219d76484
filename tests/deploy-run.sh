#!/usr/bin/env bash
# deploy/run as a person uses it: it says where the page is, Ctrl-C leaves nothing behind, and what cannot work is said
# in a sentence. Tests the build in BUILD_DIR.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
pid=
cleanup() {
    [ -z "$pid" ] || kill -TERM "$pid" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT
fail() {
    echo "FAILED: $1" >&2
    cat "$work/log" >&2
    exit 1
}
# until_true SECONDS COMMAND…
until_true() {
    local ends=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $ends ] || return 1
        read -rt 0.1 <> <(:) || true
    done
}
# A free port, and the next one, which an edge takes.
port() { node -e 'const s=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})'; }
folders() { find /dev/shm /tmp ${XDG_RUNTIME_DIR:+"$XDG_RUNTIME_DIR"} -maxdepth 1 -name 'picam.??????' | sort; }
ended() { ! kill -0 "$pid" 2>/dev/null; }
# begin FLAG…: a process group of its own, so that the signal comes as from a terminal's Ctrl-C; job control keeps SIGINT
# alive in it.
begin() {
    : >"$work/log" # the last one's says that it is there
    set -m
    "$top/deploy/run" --port "$number" --camera.source pattern "$@" >"$work/log" 2>&1 &
    pid=$!
    set +m
    until_true 60 grep -q "picam is at http://[^ ]*:$number/" "$work/log" || fail "no line with the address"
    children=$(pgrep -P "$pid")
}
interrupt() {
    kill -INT -- "-$pid"
    until_true 20 ended || fail "Ctrl-C did not end it"
    pid=
}
# Whether who asks like this may change the controls, as the daemon says it; and what a change is answered.
may_change() { curl -gs --noproxy '*' "$@" "$where/controls" | tr -d ' \n' | grep -o '"may_change":[a-z]*' || true; }
change() { code -X PATCH -H 'Content-Type: application/json' -H 'If-Match: *' -d '{}' "$@" "$where/controls"; }
code() { curl -gs --noproxy '*' -o /dev/null -w '%{http_code}' "$@" || true; }

before=$(folders)
"$top/deploy/run" --help >"$work/log" 2>&1 || fail "--help failed"
grep -q -- '--listen ADDRESS' "$work/log" || fail "--help has not what this command takes"
grep -q -- '--stream.size' "$work/log" || fail "--help has not what the programs take"
number=$(port)
begin
grep -q "picam is at http://127.0.0.1:$number/ (" "$work/log" || fail "another address than this machine's own"
grep -q "^Only this machine can look" "$work/log" || fail "no word on who can look"
curl -fs -o "$work/still.jpg" "http://127.0.0.1:$number/pi.jpg" || fail "no still"
[ "$(head -c2 "$work/still.jpg" | od -An -tx1 | tr -d ' ')" = ffd8 ] || fail "the still is no JPEG"
curl -fs "http://127.0.0.1:$number/" | grep picam >/dev/null || fail "no page"
# Who is here may change the controls; what a proxy has passed on is not from here, and a page of another site is not who is here.
where=http://127.0.0.1:$number
[ "$(may_change)" = '"may_change":true' ] || fail "nobody may change the controls: $(may_change)"
[ "$(change)" = 200 ] || fail "a change is answered $(change)"
[ "$(change -H 'X-Forwarded-For: 192.0.2.1')" = 403 ] || fail "who comes by a proxy may change the controls"
[ "$(change -H 'Origin: http://evil.example')" = 403 ] || fail "a page of another site may change the controls"

"$top/deploy/run" --port "$number" --camera.source pattern >"$work/second" 2>&1 && fail "a port in use was no error"
grep -q "in use\|did not start" "$work/second" || { cp "$work/second" "$work/log"; fail "no sentence about the port"; }

if [ "$(id -u)" -eq 0 ]; then
    for program in picam-snapshot picam-streamd; do
        [ "$(stat -c %u "/proc/$(pgrep -P "$pid" "$program")")" != 0 ] || fail "$program runs as root"
    done
fi
interrupt
for child in $children; do
    ! kill -0 "$child" 2>/dev/null || fail "process $child is left"
done
[ "$(folders)" = "$before" ] || fail "a folder is left: $(folders)"

# For others too: it says for whom, and where. With a password nobody gets anything without.
begin --listen 0.0.0.0 --password
grep -q "^Who has the password can look" "$work/log" || fail "no word on who can look"
password=$(sed -n 's/^user picam, password \([a-z0-9]\{20\}\)$/\1/p' "$work/log")
url=$(sed -n 's#^picam is at \(http://[^ ]*/\) .*#\1#p' "$work/log")
case $url in http://0.0.0.0*) fail "nobody can open $url" ;; esac
for target in "" pi.jpg stream.mjpg status "?action=snapshot"; do
    [ "$(code "$url$target")" = 401 ] || fail "/$target needs no password"
    [ "$(code -u picam:wrong-one "$url$target")" = 401 ] || fail "/$target takes any password"
done
[ "$(code -u "picam:$password" "${url}pi.jpg")" = 200 ] || fail "no still with the password"
[ "$(code -u "picam:$password" "http://127.0.0.1:$number/")" = 200 ] || fail "no page on this machine"
where=${url%/}
[ "$(change)" = 401 ] || fail "a change needs no password"
[ "$(change -u "picam:$password")" = 200 ] || fail "who has the password may not change the controls"
interrupt
begin --listen ::
grep -q "^Whoever reaches this machine can look" "$work/log" || fail "no word on who can look"
[ "$(code "http://127.0.0.1:$number/pi.jpg")" = 200 ] || fail "no still over IPv4"
where=http://127.0.0.1:$number
[ "$(may_change -H 'X-Picam-User: picam' -H 'X-Picam-Role: operator')" = '"may_change":false' ] || fail "whoever looks may change the controls"
[ "$(change -H 'X-Picam-User: picam' -H 'X-Picam-Role: operator')" = 403 ] || fail "whoever looks may change the controls"
[ ! -e /proc/net/if_inet6 ] || [ "$(code "http://[::1]:$number/pi.jpg")" = 200 ] || fail "no still over IPv6"
interrupt

# With an engine and an edge of its own: the edge has the camera's pictures, and all of it goes with Ctrl-C.
begin --reach
until_true 60 grep -q "^The edge shows" "$work/log" || fail "no edge"
edge=$(sed -n 's#^The edge shows .* at \(http://[^ ]*/\).*#\1#p' "$work/log")
[ "$edge" = "http://127.0.0.1:$((number + 1))/" ] || fail "no address of the edge: $edge"
until_true 20 curl -fs -o "$work/still.jpg" "${edge}pi.jpg" || fail "no still from the edge"
[ "$(head -c2 "$work/still.jpg" | od -An -tx1 | tr -d ' ')" = ffd8 ] || fail "the edge's still is no JPEG"
grep -q "camera feed .* opened by picam-snapshot" "$work/log" || fail "the edge has another camera"
children=$(pgrep -P "$pid")
interrupt
for child in $children; do
    ! kill -0 "$child" 2>/dev/null || fail "process $child is left"
done
[ "$(folders)" = "$before" ] || fail "a folder is left: $(folders)"

# Root's folder of the session is nobody else's to enter, and its umask may leave others nothing.
if [ "$(id -u)" -eq 0 ]; then
    mkdir -m 700 "$work/session"
    session=${XDG_RUNTIME_DIR-}
    mask=$(umask)
    umask 077
    export XDG_RUNTIME_DIR=$work/session
    begin
    [ "$(code "http://127.0.0.1:$number/pi.jpg")" = 200 ] || fail "no still"
    [ "$(code "http://127.0.0.1:$number/")" = 200 ] || fail "no page"
    interrupt
    umask "$mask"
    export XDG_RUNTIME_DIR=$session
fi

for flags in "--listen here" "--listen" "--listen 1.2.3" "--stream.fps 900" "--nonsense" "--port 99999" "--camera.source replay" "--runtime-dir /tmp/x" "--state_dir=/tmp/x"; do
    # shellcheck disable=SC2086
    "$top/deploy/run" --port "$number" $flags >"$work/log" 2>&1 && fail "$flags was no error"
    [ "$(wc -l <"$work/log")" -le 2 ] || fail "$flags: more than a sentence"
done
[ "$(folders)" = "$before" ] || fail "a folder is left after an error: $(folders)"

# A program that dies takes the others along, and the command says so.
begin
kill -KILL "$(pgrep -P "$pid" picam-streamd)"
until_true 20 ended || fail "the death of picam-streamd was not noticed"
pid=
for child in $children; do
    ! kill -0 "$child" 2>/dev/null || fail "process $child is left"
done
[ "$(folders)" = "$before" ] || fail "a folder is left: $(folders)"
# Killed itself, it can clean up nothing, but nobody goes on without it.
begin
folder=$(comm -13 <(echo "$before") <(folders))
kill -KILL "$pid"
for child in $children; do
    until_true 20 eval "! kill -0 $child 2>/dev/null" || fail "process $child is left without its parent"
done
pid=
rm -rf "$folder"
echo "deploy/run: all as it should be"
