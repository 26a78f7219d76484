# picamctl get and set: a camera's controls, asked of picam-streamd itself; read by picamctl.
# shellcheck shell=bash disable=SC2154

# From the flags and words of get and set: `camera`, and `words`, the rest.
controls_words() {
    camera=$first_camera
    words=()
    while [ $# -gt 0 ]; do
        case $1 in
        --camera)
            [ $# -ge 2 ] || die "which camera?"
            camera=$2
            shift
            ;;
        --camera=*) camera=${1#--camera=} ;;
        *) words+=("$1") ;;
        esac
        shift
    done
    camera_names | grep -x -- "$camera" >/dev/null || die "there is no camera $camera"
}

# controls_ask CURL'S ARGUMENT…: `body`, when picam-streamd does it; else its sentence ends this. nginx tells who asks where it
# asks; here it is root, for nobody else reaches the socket. The generation is the one that is in force, as end_viewers told it.
controls_ask() {
    local generation answer failed=0 code why
    generation=$(sed -n 's/^"" "\(.*\)";/\1/p' "$site/generation.conf" 2>/dev/null) || true
    answer=$(curl -s -m 10 -w '\n%{http_code}' --unix-socket "/run/picam/$camera.http.sock" -H 'X-Picam-User: picamctl' \
        -H 'X-Picam-Role: operator' -H "X-Picam-Access: $generation" "$@" "http://localhost/controls?format=text") || failed=$?
    [ $failed -eq 0 ] || die "picam-streamd of $camera does not answer; picamctl check says why"
    code=${answer##*$'\n'}
    body=${answer%$'\n'*}
    body=${body%$'\n'}
    if [ "$code" != 200 ]; then
        why=$(tr '\n' ' ' <<<"$body" | sed -nE -e 's/^[^"]*"error": *"(([^"\\]|\\.)*)".*/\1/;T' -e 's/\\(["\\/])/\1/g;p')
        die "${why:-picam-streamd of $camera answers $code}"
    fi
}

# One word of a command as JSON: numbers, true, false and null as they are, all else a text.
is_json_number() {
    [[ $1 =~ ^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$ ]]
}
json_text() {
    local text=${1//\\/\\\\}
    printf '"%s"' "${text//\"/\\\"}"
}
json_value() {
    if is_json_number "$1"; then
        printf %s "$1"
        return
    fi
    case $1 in
    true | false | null) printf %s "$1" ;;
    *) json_text "$1" ;;
    esac
}

# picam-streamd's lines are NAME, WANTED, ALLOWED, ACTUAL and NOTE, with tabs between them.
cmd_get() {
    local camera words body
    need_root
    controls_words "$@"
    [ ${#words[@]} -le 1 ] || die "get [--camera NAME] [CONTROL]"
    controls_ask
    if [ ${#words[@]} -eq 1 ]; then
        awk -F'\t' -v name="${words[0]}" '$1 == name {print $2; found = 1} END {exit !found}' <<<"$body" ||
            die "$camera has no control ${words[0]}; picamctl get lists them"
    elif [ -z "$body" ]; then
        echo "the camera of $camera has no controls, or has not been opened yet: a still or the live page opens it"
    else
        awk -F'\t' '{
            line = $1 " " ($2 == "" ? "-" : $2)
            if ($3 != "") line = line " (" $3 ")"
            if ($4 != "") line = line ", now " $4
            if ($5 != "") line = line "; " $5
            print line
        }' <<<"$body"
    fi
}

cmd_set() {
    local camera words body value word
    need_root
    controls_words "$@"
    [ ${#words[@]} -ge 2 ] || die "set [--camera NAME] CONTROL VALUE..."
    for word in "${words[@]}"; do
        [[ $word != *[[:cntrl:]]* ]] || die "a name or a value is one line of text"
    done
    value=$(json_value "${words[1]}")
    if [ ${#words[@]} -gt 2 ]; then
        value=
        for word in "${words[@]:1}"; do
            is_json_number "$word" || die "several values are numbers, and $word is none"
            value=$value${value:+, }$word
        done
        value="[$value]"
    fi
    controls_ask -X PATCH -H 'Content-Type: application/json' -H 'If-Match: *' --data-binary "{$(json_text "${words[0]}"): $value}"
}
