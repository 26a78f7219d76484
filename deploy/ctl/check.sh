# picamctl check and status; read by picamctl. Neither changes anything.
# shellcheck shell=bash disable=SC2154

bad_found=
good() { printf 'ok    %s\n' "$1"; }
note() { printf 'note  %s\n' "$1"; }
bad() { # bad WHAT REMEDY
    bad_found=yes
    printf 'BAD   %s\n      %s\n' "$1" "$2"
}

# Runs a command as a camera's units do, with the variables of its file and none of ours: as_camera CAMERA COMMAND…. systemd
# reads that file, not a shell: a value may hold spaces, and nothing in it is a command.
as_camera() {
    local camera=$1 line value variables=()
    shift
    while IFS= read -r line || [ -n "$line" ]; do
        [[ $line =~ ^[[:space:]]*([A-Za-z_][A-Za-z0-9_]*)[[:space:]]*=[[:space:]]*(.*[^[:space:]])?[[:space:]]*$ ]] || continue
        value=${BASH_REMATCH[2]}
        case $value in
        \'*\' | \"*\") value=${value:1:-1} ;;
        esac
        variables+=("${BASH_REMATCH[1]}=$value")
    done < <(cat "$etc/$camera.env" 2>/dev/null)
    env -i PATH="$PATH" "${variables[@]}" "$@"
}

# What one setting is in force for a camera: setting CAMERA SECTION KEY.
setting() {
    as_camera "$1" picam-streamd --instance "$1" --print-config 2>/dev/null | awk -v section="[$2]" -v key="$3" '
        /^\[/ {inside = $1 == section}
        inside && $1 == key {
            sub(/^[^=]*= */, "")
            sub(/ *#[^"#]*$/, "")
            if (sub(/^"/, "")) {sub(/"$/, ""); gsub(/\\"/, "\""); gsub(/\\\\/, "\\")}
            print
        }'
}

check_settings() { # CAMERA
    local said
    if said=$(as_camera "$1" picam-streamd --instance "$1" --print-config 2>&1 >/dev/null); then
        good "$1: the settings"
    else
        bad "$1: the settings: $said" "mend $etc/picam.conf or $etc/$1.env; man picam.conf has what each takes"
    fi
}

check_services() { # CAMERA
    [ -d /run/systemd/system ] || return 0
    local unit state
    for unit in "picam-streamd@$1.service" "picam-snapshot@$1.socket"; do
        state=$(systemctl is-active "$unit" || true)
        if [ "$state" = active ]; then
            good "$1: $unit"
            case $unit in *.service) check_device_access "$unit" ;; esac
            # What it starts runs for a while after a still.
            ! systemctl --quiet is-active "${unit%.socket}.service" || [ "$unit" = "${unit%.socket}" ] || check_device_access "${unit%.socket}.service"
        else
            bad "$1: $unit is $state" "systemctl restart picam@$1.target; journalctl -u $unit says why it ended"
        fi
    done
}

check_sockets() { # CAMERA
    local name path about
    for name in snapshot stream http; do
        path=/run/picam/$1.$name.sock
        about=$(stat -c '%F %a %U %G' "$path" 2>/dev/null || echo missing)
        case $about in
        "socket 660 picam $nginx_group") good "$1: $path" ;;
        missing) bad "$1: $path is not there" "systemctl restart picam@$1.target" ;;
        *) bad "$1: $path is: $about" \
            "it should be a socket of picam:$nginx_group with mode 660: picamctl setup; systemctl restart picam@$1.target" ;;
        esac
    done
}

check_camera() { # CAMERA
    local source lock=/run/picam/$1.lock listed
    source=$(setting "$1" camera source) || return 0 # bad settings: check_settings has said it
    case $source in
    feed)
        check_feed "$1"
        return
        ;;
    pattern | replay)
        note "$1: camera.source is $source: no camera is used"
        return
        ;;
    esac
    if [ -e "$lock" ] && ! flock -n "$lock" true; then
        good "$1: the camera is open: its lock is held"
        return
    fi
    good "$1: the camera's lock is free"
    if listed=$(as_camera "$1" setpriv --reuid picam --regid picam --groups video,kvm --no-new-privs \
        picam-streamd --instance "$1" --list-cameras 2>/dev/null); then
        good "$1: a camera: $(head -1 <<<"$listed")"
        if [ "$(camera_names | wc -l)" -gt 1 ] && [ -z "$(setting "$1" camera id)" ]; then
            note "$1 has no camera.id: which of several cameras is its own is forgotten at a reboot"
        fi
    else
        bad "$1: no camera was found" \
            "look at the cable, at 'ls -l /dev/video* /dev/media*' and, on a Pi, at camera_auto_detect in config.txt"
    fi
}

# Whether picam can connect to the program that feeds a camera's pictures: check_feed CAMERA.
check_feed() {
    local socket
    socket=$(setting "$1" camera feed)
    socket=${socket:-/run/picam-feed/$1.sock}
    if [ ! -S "$socket" ]; then
        bad "$1: camera.source is feed, and the socket $socket is not there" "start the program that makes it"
    elif ! setpriv --reuid picam --regid picam --clear-groups test -w "$socket"; then
        bad "$1: picam may not connect to $socket" "chgrp picam $socket; chmod 660 $socket, and so the program that makes it"
    else
        good "$1: pictures come from the program at $socket"
    fi
}

# Whether a service may open the devices that are there: systemd resolves its DeviceAllow when it starts, and keeps to that.
# Asked from within its control group, by a process that looks and ends.
check_device_access() { # UNIT
    local folder device devices=() said
    folder=/sys/fs/cgroup$(systemctl show -p ControlGroup --value "$1" 2>/dev/null)
    [ -w "$folder/cgroup.procs" ] && [ "$folder" != /sys/fs/cgroup ] || return 0
    for device in /dev/dma_heap/* /dev/video* /dev/media* /dev/udmabuf; do
        [ -c "$device" ] && devices+=("$device")
    done
    # shellcheck disable=SC2016
    said=$(LC_ALL=C sh -c 'echo $$ >"$1/cgroup.procs" && shift && for device; do true <>"$device"; done' - \
        "$folder" "${devices[@]}" 2>&1) || true
    device=$(grep -m1 'not permitted' <<<"$said" | grep -o '/dev/[a-z0-9_/,-]*') || true
    if [ -n "$device" ]; then
        bad "$1 may not open $device: its driver was loaded after the service had started" "systemctl restart $1"
    else
        good "$1 may open the devices"
    fi
}

check_devices() {
    local device found=
    for device in /dev/dma_heap/* /dev/video* /dev/media*; do
        [ -e "$device" ] || continue
        found=yes
        [ "$(stat -c %G "$device")" = video ] ||
            bad "$device is not of group video" "udevadm control --reload && udevadm trigger; look into /etc/udev/rules.d"
    done
    [ -n "$found" ] && good "the devices' group"
}

mode_is() { # PATH "MODE OWNER GROUP" WHY
    local about
    about=$(stat -L -c '%a %U %G' "$1" 2>/dev/null || echo missing)
    if [ "$about" = "$2" ]; then
        good "$1"
    else
        bad "$1: $about, not $2: $3" "set it with chmod and chown, or reinstall: apt install --reinstall picam"
    fi
}

check_permissions() {
    mode_is /run/picam "2750 picam $nginx_group" "nginx's group reaches the sockets, nobody else does"
    [ ! -e "$users" ] || mode_is "$users" "640 root $nginx_group" "nginx reads it, nobody else does"
    local key
    key=$(sed -n 's/^ssl_certificate_key \(.*\);/\1/p' "$site/certificate.conf" 2>/dev/null || true)
    case $(stat -L -c %a "$key" 2>/dev/null || echo missing) in
    ?00) good "the certificate's key is root's alone" ;;
    640) good "the certificate's key is for its group" ;;
    missing) bad "the certificate's key ${key:-(none)} is not there" "picamctl tls self-signed" ;;
    *) bad "others may read the certificate's key $key" "chmod 600 $key" ;;
    esac
    if [ -e "$etc/first-password" ]; then
        note "the first password is in use, kept in $etc/first-password; picamctl passwd sets your own"
    fi
}

# Where the cameras' controls are kept. The unit makes it when it starts.
check_state() { # CAMERA
    local folder about
    folder=$(as_camera "$1" picam-streamd --instance "$1" --print-config 2>/dev/null | sed -n 's/^state[-_]dir = "\([^"]*\)".*/\1/p') || true
    folder=${folder:-/var/lib/picam-controls}
    about=$(stat -L -c '%F %a %U' "$folder" 2>/dev/null || echo missing)
    if [ "$about" = missing ]; then
        bad "$1: $folder is not there: what is changed of the controls is forgotten at a restart" "systemctl restart picam@$1.target"
    elif [ "$about" != "directory 700 picam" ]; then
        bad "$1: $folder is: $about" "it should be a directory of picam's with mode 700: chown -R picam: $folder; chmod 700 $folder"
    elif ! setpriv --reuid picam --regid picam --clear-groups test -w "$folder"; then
        bad "$1: picam cannot write to $folder" "is the disk mounted for reading alone? findmnt -T $folder"
    else
        good "$1: $folder"
    fi
}

# What the settings, or people, want of the camera and it does not have or does not allow. Nothing where picam-streamd does not answer.
check_controls() { # CAMERA
    local left_out
    left_out=$(curl -s -m 5 --unix-socket "/run/picam/$1.http.sock" http://localhost/controls 2>/dev/null |
        sed -n '/^ "misfits": {$/,/^ }/s/^  "\([^"]*\)": .*/\1/p' | paste -sd ' ') || true
    [ -z "$left_out" ] || note "$1: left out, for the camera has no such control or does not allow the value: $left_out (camera.controls, or picamctl set NAME null)"
}

check_nginx() {
    local said connections
    if said=$(nginx_refuses); then
        bad "nginx refuses its configuration: $said" "$(remedy "$said")"
        return
    fi
    good "nginx's configuration"
    [ -e "$(enabled_link)" ] || bad "the site is not enabled" "picamctl enable"
    if [ -d /run/systemd/system ] && ! systemctl --quiet is-active nginx.service; then
        bad "nginx does not run" "systemctl start nginx; journalctl -u nginx"
    elif [ -d /run/systemd/system ] && ! systemctl --quiet is-enabled nginx.service; then
        bad "nginx does not start at boot" "systemctl enable nginx"
    fi
    # dpkg kept what was changed here.
    local file
    for file in /etc/nginx/picam/*.dpkg-dist /etc/nginx/sites-available/picam.dpkg-dist; do
        [ ! -e "$file" ] || note "${file%.dpkg-dist} was changed here and is older than this version's, $file: compare the two"
    done
    # A viewer takes two of them: its own connection and the one to streamd.
    connections=$(sed -n 's/^[[:space:]]*worker_connections[[:space:]]*\([0-9]*\);.*/\1/p' /etc/nginx/nginx.conf | head -1)
    local camera most viewers=0
    for camera in $(camera_names); do
        most=$(setting "$camera" stream max_viewers)
        viewers=$((viewers + ${most:-0}))
    done
    if [ -n "$connections" ] && [ "$connections" -lt $((2 * viewers + 100)) ]; then
        bad "nginx takes $connections connections, too few for stream.max_viewers, $viewers in all" \
            "set worker_connections in /etc/nginx/nginx.conf to $((2 * viewers + 100)) or more"
    fi
    if is_open_to_changes; then
        note "the site asks for no password, and anyone can change the cameras' controls (picamctl close undoes this)"
    elif is_open; then
        note "the site asks for no password (picamctl close undoes this)"
    else
        good "a password is asked for"
        [ -n "$(operators)" ] || note "no user can change the cameras' controls (picamctl user operator NAME)"
    fi
    if [ "$(http_is)" = serve ]; then
        note "plain HTTP serves the site (picamctl http redirect undoes this)"
    fi
}

check_ports() {
    local port program who others camera
    others=$(other_sites)
    # shellcheck disable=SC2046
    for port in "$(site_port http)" "$(site_port https)" $(for camera in $(camera_names); do camera_port "$camera"; done); do
        program=$(other_program "$port")
        who=$(holder "$port" "$others")
        if [ -n "$program" ]; then
            bad "port $port is taken: $program listens there, and nginx would not start" "end it, or take another: picamctl ports HTTP HTTPS; a further camera's: picamctl camera del and add"
        elif [ -n "$who" ]; then
            note "port $port is shared with $who; numbers and local names lead to picam (picamctl ports HTTP HTTPS takes others)"
        else
            good "port $port is picam's"
        fi
    done
}

check_site() {
    local code port url
    port=$(site_port https)
    url=https://localhost:$port/
    code=$(curl -sk -m 10 -o /dev/null -w '%{http_code}' "${url}healthz" || true)
    case $code in
    200 | 401 | 429) good "$url answers" ;;
    000) bad "$url does not answer" "does nginx run, and does another program have port $port? ss -tlnp" ;;
    503) bad "$url answers, but picam-streamd does not" "systemctl restart picam.target" ;;
    *) bad "$url answers $code: it is another site's" "picam's names stand in /etc/nginx/picam/names.conf" ;;
    esac
}

check_certificate() {
    local cert ends days
    cert=$(certificate_path)
    ends=$(openssl x509 -in "$cert" -noout -enddate 2>/dev/null | cut -d= -f2 || true)
    if [ -z "$ends" ]; then
        bad "the certificate ${cert:-(none)} cannot be read" "picamctl tls self-signed"
        return
    fi
    days=$((($(date -d "$ends" +%s) - $(date +%s)) / 86400))
    if [ $days -lt 14 ]; then
        bad "the certificate ends in $days days" \
            "self-signed: picamctl tls renew; certbot's: certbot renew; your own: picamctl tls files CERT KEY"
    else
        good "the certificate is good for $days days"
    fi
}

check_disk() {
    local place free
    for place in /var/log /run/picam; do
        free=$(df --output=avail -k "$place" 2>/dev/null | tail -1 | tr -d ' ')
        if [ -n "$free" ] && [ "$free" -lt 51200 ]; then
            bad "$place has $((free / 1024)) MB left" "make room: du -xh $place | sort -h | tail; journalctl --vacuum-size=50M"
        else
            good "$place has room"
        fi
    done
}

check_clock() {
    if [ "$(date +%Y)" -lt 2025 ]; then
        bad "the clock says $(date)" "without the right time browsers refuse the certificate: timedatectl set-ntp true"
    elif [ -d /run/systemd/system ] && [ "$(timedatectl show -p NTPSynchronized --value 2>/dev/null)" = no ]; then
        note "the clock is not kept by NTP (timedatectl set-ntp true, or systemd-timesyncd is not installed)"
    else
        good "the clock"
    fi
}

cmd_check() {
    need_root
    find_nginx_user
    local camera check
    # A check that fails itself keeps no other from being made.
    for camera in $(camera_names); do
        for check in settings services sockets state camera controls relay; do
            "check_$check" "$camera" || true
        done
    done
    for check in devices permissions nginx ports site certificate disk clock; do
        "check_$check" || true
    done
    [ -z "$bad_found" ] || exit 1
}

cmd_status() {
    local camera unit units state
    for camera in $(camera_names); do
        echo "camera $camera"
        units=("picam-streamd@$camera.service" "picam-snapshot@$camera.socket" "picam-snapshot@$camera.service")
        ! has_relay "$camera" || units+=("picam-relay@$camera.service")
        for unit in "${units[@]}"; do
            state="not looked at"
            [ ! -d /run/systemd/system ] || state=$(systemctl is-active "$unit" || true)
            printf '  %-36s %s\n' "$unit" "$state"
        done
        # Of all that /status tells, what a person asks first.
        curl -fsS -m 5 --unix-socket "/run/picam/$camera.http.sock" http://localhost/status 2>/dev/null |
            awk -F'[:,]' '
                /^  "/ {section = $1; gsub(/[ "]/, "", section)}
                /"(state|source|reason|fps|starts|failures|total|uptime_seconds)"/ {
                    name = $1; gsub(/[ "]/, "", name)
                    value = $0; sub(/^[^:]*: */, "", value); sub(/,$/, "", value)
                    if (value != "\"\"") printf "  %-36s %s\n", (section == name ? "" : section ".") name, value
                }' || echo "  picam-streamd does not answer (root and group $nginx_group may ask it)"
    done
    state="not looked at"
    [ ! -d /run/systemd/system ] || state=$(systemctl is-active nginx.service || true)
    echo "nginx: $state; password: $(is_open && echo "not asked for" || echo "asked for")$(! is_open_to_changes || echo "; anyone can change the controls")"
}
