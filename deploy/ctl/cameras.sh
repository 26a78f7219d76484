# picamctl camera, and what the site has of each camera; read by picamctl.
# shellcheck shell=bash disable=SC2154

# One camera's locations below a path, which ends in a slash.
locations() { # PATH CAMERA
    sed -e "s#@PATH@#$1#g" -e "s#@INSTANCE@#$2#g" "$share/locations.conf.in"
}

# Whoever looks for a line of this reads all of it: what ends early ends the writer too (pipefail).
camera_names() {
    local file
    echo "$first_camera"
    for file in "$site"/path-*.conf "$site"/camera-*.conf; do
        [ ! -f "$file" ] || basename "$file" .conf | cut -d- -f2-
    done | sort -u | grep -vx "$first_camera" || true
}

camera_port() { # CAMERA: of a site of its own; empty: it has none
    sed -n 's/^ *listen \([^ ]*:\)\?\([0-9]*\) ssl;/\2/p' "$site/camera-$1.conf" 2>/dev/null | head -1
}

# From the folder's name without the slash at its end: by a relative address, for a proxy may have taken the path's beginning
# away.
redirect_to_folder() { # PATH
    local name=${1%/}
    # shellcheck disable=SC2016
    printf 'location = %s {\n    return 301 %s/$is_args$args;\n}\n' "$name" "${name##*/}"
}

# Names that are addresses of picam's own, or may become some.
is_reserved() { # CAMERA
    case $1 in
    stream | status | ticket | healthz | metrics | controls | cameras | overview | picam*) return 0 ;;
    *) return 1 ;;
    esac
}

write_camera() { # CAMERA PORT, an empty one for none
    local path=/$1/
    # One of such a name is from a version that had no paths, and has its port alone.
    is_reserved "$1" || {
        printf '# Written by picamctl camera: %s below %s.\n' "$1" "$path"
        redirect_to_folder "$path"
        locations "$path" "$1" | sed 's#/manifest.webmanifest break;#/manifest-below.webmanifest break; \# the site is one app#'
    } | write "$site/path-$1.conf"
    [ -n "$2" ] || return 0
    {
        sed -e "s#__NAME__#$1#g" -e "s#__PORT__#$2#g" -e "s#/etc/picam#$etc#g" -e '/__LOCATIONS__/,$d' "$share/camera-site.conf"
        locations / "$1"
        echo "}"
    } | { if has_ipv6; then cat; else sed '/listen \[::\]/d'; fi; } | write "$site/camera-$1.conf"
}

rewrite_cameras() {
    local name
    camera_names | while read -r name; do
        write_camera "$name" "$(camera_port "$name")"
    done
}

# What tells of all of them: the list, and which page is at the root.
write_cameras() {
    local name title separator=
    {
        echo "["
        camera_names | while read -r name; do
            ! is_reserved "$name" || continue
            title=$(setting "$name" camera title | sed 's/[\\"]/\\&/g') || true
            printf '%s  {"name": "%s", "title": "%s", "path": "%s/"}' "$separator" "$name" "$title" "$name"
            separator=$',\n'
        done
        printf '\n]\n'
    } | write "$site/cameras.json"
    chmod 644 "$site/cameras.json"
    rm -f "$site/overview.map"
    [ "$(camera_names | wc -l)" -eq 1 ] || printf '# Written by picamctl camera: there are several.\n/ overview.html;\n' | write "$site/overview.map"
    [ ! -f "$site/overview.map" ] || chmod 644 "$site/overview.map"
}

valid_port() {
    if ! [[ $1 =~ ^[1-9][0-9]{0,4}$ ]] || [ "$1" -gt 65535 ]; then
        die "$1 is no port"
    fi
}

# A name is an address of the site, too.
valid_new_camera() { # NAME PORT
    valid_camera "$1"
    ! is_reserved "$1" || die "$1 is an address of picam's own"
    ! camera_names | grep -x -- "$1" >/dev/null || die "$1 is there already"
    [ -n "$2" ] || return 0
    valid_port "$2"
    # nginx would take the configuration, and then keep the old one without a word.
    ! (exec 3<>"/dev/tcp/127.0.0.1/$2") 2>/dev/null || die "something listens at port $2 already"
    local who
    who=$(holder "$2" "$(other_sites)")
    [ -z "$who" ] || die "port $2 is taken: $who has it"
    case $2 in
    "$(site_port http)" | "$(site_port https)") die "port $2 is the site's own" ;;
    esac
}

cmd_camera() {
    local what=${1:-} name=${2:-} port=${3:-} title
    case $what in
    list)
        camera_names
        return
        ;;
    add)
        valid_new_camera "$name" "$port"
        begin
        write_camera "$name" "$port"
        commit
        [ ! -d /run/systemd/system ] || systemctl --quiet enable --now "picam@$name.target"
        echo "It is at /$name/${port:+ and at port $port}. Its settings beside picam.conf go to $etc/$name.env, as PICAM_CAMERA_ID=1; picamctl camera title $name TEXT names it for people."
        ;;
    title)
        title=${3:-}
        camera_names | grep -x -- "$name" >/dev/null || die "there is no camera $name"
        # Bytes, as the setting has it: the programs would not start with more.
        if [ "$(printf %s "$title" | wc -c)" -gt 60 ] || [[ $title =~ [[:cntrl:]\"\\\$] ]]; then
            die "a title is a text of up to 60 bytes without \", \\ and \$"
        fi
        begin
        { grep -v '^PICAM_CAMERA_TITLE=' "$etc/$name.env" 2>/dev/null || true; [ -z "$title" ] || printf 'PICAM_CAMERA_TITLE="%s"\n' "$title"; } | write "$etc/$name.env"
        commit
        [ ! -d /run/systemd/system ] || systemctl try-restart "picam-streamd@$name.service" "picam-snapshot@$name.service"
        ;;
    del)
        valid_camera "$name"
        camera_names | grep -x -- "$name" >/dev/null || die "there is no camera $name"
        ! mounts | grep " $name " >/dev/null || die "$name is mounted in another site: picamctl mount list"
        begin
        rm -f "$site/camera-$name.conf" "$site/path-$name.conf"
        commit
        ! has_relay "$name" || relay_leave "$name"
        if [ -d /run/systemd/system ]; then
            systemctl --quiet disable --now "picam@$name.target"
            systemctl stop "picam-streamd@$name.service" "picam-snapshot@$name.socket" "picam-snapshot@$name.service"
        fi
        rm -f "/run/picam/$name".{lock,frames,camera,controls,described,snapshot.sock} # systemd leaves its socket there
        rm -f "/var/lib/picam-controls/$name.json"
        ;;
    *) die "camera add NAME [PORT], camera del NAME, camera title NAME TEXT or camera list" ;;
    esac
}
