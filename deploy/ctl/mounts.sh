# picamctl mount and proxy: picam within another site, and behind another server; read by picamctl.
# shellcheck shell=bash disable=SC2154

# ---- A camera below a path of a server block that is not picam's ----

mount_file() { # PATH
    local name=${1#/}
    name=${name%/}
    echo "$site/mount-${name//\//.}.conf"
}

# PATH, CAMERA and LOGIN of each, as its first line says.
mounts() {
    local file
    for file in "$site"/mount-*.conf; do
        [ ! -f "$file" ] || sed -n '1s/^# picamctl mount: //p' "$file"
    done
}

write_mount() { # PATH CAMERA LOGIN
    local path=$1 access=
    if [ "$3" = password ] && ! is_open; then
        access="    satisfy all;
    auth_basic off;
    auth_request ${path}picam-login;
    auth_request_set \$picam_login_status \$upstream_status;
    auth_request_set \$picam_user \$upstream_http_x_picam_user;
    auth_request_set \$picam_role \$upstream_http_x_picam_role;
    location = ${path}picam-login {
        include picam/ask-login.conf;
    }"
    fi
    {
        printf '# picamctl mount: %s\n' "$*"
        redirect_to_folder "$path"
        locations "$path" "$2" | sed -e '/^    location = .*metrics {/,/^    }/d' -e '/The scraper/d' |
            awk -v access="$access" '{sub("picam/headers.conf", "picam/mount-headers.conf"); print} /^location \^~/ {print "    include picam/mount.conf;"; if (access) print access}'
    } | write "$(mount_file "$path")"
}

# Without picam's site there is nothing that they could go by, and nginx would not start.
write_mounts() {
    local path camera login
    is_enabled || return 0
    mounts | while read -r path camera login; do
        write_mount "$path" "$camera" "$login"
    done
}

# The server blocks that include them stay as they are.
empty_mounts() {
    local path rest
    mounts | while read -r path rest; do
        printf '# picamctl mount: %s %s\n' "$path" "$rest" | write "$(mount_file "$path")"
    done
}

# Before the site goes from nginx's configuration; enable writes them again.
cmd_disable() {
    need_root
    empty_mounts
}

cmd_mount() {
    local path=${1:-} camera=$first_camera login=password file
    case $path in
    list)
        mounts | cut -d' ' -f1,2
        return
        ;;
    del)
        path=${2:-}
        file=$(mount_file "$path")
        mounts | cut -d' ' -f1 | grep -xF -- "$path" >/dev/null || die "nothing is mounted at $path"
        begin
        rm -f "$file"
        commit
        return
        ;;
    esac
    shift || true
    for arg; do
        case $arg in
        --no-password) login=none ;;
        *) camera=$arg ;;
        esac
    done
    if ! [[ $path =~ ^(/[A-Za-z0-9_-]+)+/$ ]]; then
        die "a path is /webcam/ or /house/webcam/: letters, digits, - and _ between slashes"
    fi
    is_enabled || die "picam's own site is not enabled, by which a mount goes: picamctl enable"
    camera_names | grep -x -- "$camera" >/dev/null || die "there is no camera $camera"
    begin
    write_mount "$path" "$camera" "$login"
    commit
    file=$(mount_file "$path")
    cat <<TEXT
Put this line into the server block of the site that shall have the camera $camera at $path:

    include ${file%f}[f];

then: nginx -t && systemctl reload nginx
TEXT
    if [ "$login" != password ] || is_open; then
        echo "Nobody is asked for picam's password there: who may look, and under which names, is what the server block says."
    fi
}

# ---- Servers in front of picam's site ----

proxies() {
    sed -n 's/^set_real_ip_from \(.*\);/\1/p' "$site/proxies.conf" 2>/dev/null || true
}

# Two files: the servers' and, for the whole of nginx, which addresses these are.
write_proxies() { # ADDRESS…
    local address
    rm -f "$site/proxies.conf" "$site/proxy-addresses.conf"
    [ $# -gt 0 ] || return 0
    {
        echo "# Written by picamctl proxy."
        printf 'set_real_ip_from %s;\n' "$@"
        printf 'real_ip_header X-Forwarded-For;\nreal_ip_recursive on;\n'
    } | write "$site/proxies.conf"
    {
        # shellcheck disable=SC2016
        printf '# Written by picamctl proxy.\ngeo $realip_remote_addr $picam_from_proxy {\n    default "";\n'
        for address; do printf '    %s 1;\n' "$address"; done
        echo "}"
    } | write "$site/proxy-addresses.conf"
}

cmd_proxy() {
    local what=${1:-} address=${2:-} all
    mapfile -t all < <(proxies)
    case $what in
    list)
        [ ${#all[@]} -eq 0 ] || printf '%s\n' "${all[@]}"
        return
        ;;
    add)
        [[ $address =~ ^[0-9a-fA-F.:]+(/[0-9]{1,3})?$ ]] || die "a proxy is an address or a network, as 192.0.2.1 or 2001:db8::/32"
        [[ " ${all[*]} " != *" $address "* ]] || die "$address is there already"
        all+=("$address")
        ;;
    del)
        [[ " ${all[*]} " == *" $address "* ]] || die "there is no proxy $address"
        mapfile -t all < <(proxies | grep -vxF -- "$address")
        ;;
    *) die "proxy add ADDRESS, proxy del ADDRESS or proxy list" ;;
    esac
    begin
    write_proxies "${all[@]}"
    write_http "$(http_is)"
    commit
    if [ "$what" = add ]; then
        echo "What $address says of a viewer's address, host and HTTPS (X-Forwarded-For, -Host, -Proto) is believed. It needs no certificate of picam's: its requests may come by HTTP."
    fi
}
