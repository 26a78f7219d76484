# What picam's site listens at beside other sites and programs, as whom nginx runs, and why it refuses; read by picamctl.
# shellcheck shell=bash disable=SC2034,SC2154

first_ports=(80 443)    # HTTP and HTTPS, where nobody else has them
other_ports=(8080 8443) # else from here on
listen_at=('' '[::]:')  # all addresses
available=/etc/nginx/sites-available/picam
systemd=/etc/systemd/system
tmpfiles=/etc/tmpfiles.d/picam.conf

site_port() { # http or https
    sed -n 's/^listen \([^ ]*:\)\?\([0-9]*\)\( ssl\)\?;/\2/p' "$site/listen-$1.conf" 2>/dev/null | head -1
}

# With ipv6.disable=1 there are no such sockets, and nginx does not start where it shall listen at one.
has_ipv6() {
    local said
    said=$( (LC_ALL=C exec 3<>/dev/tcp/::1/1) 2>&1) || true # refused, where there are
    [[ $said != *"Address family not supported"* ]]
}

listen_lines() { # PORT [PARAMETER]
    local at
    for at in "${listen_at[@]}"; do
        [ "${at#[}" = "$at" ] || has_ipv6 || continue
        printf 'listen %s%s%s;\n' "$at" "$1" "${2:+ $2}"
    done
}

write_ports() { # HTTP HTTPS
    { echo "# Written by picamctl ports."; listen_lines "$1"; } | write "$site/listen-http.conf"
    { echo "# Written by picamctl ports."; listen_lines "$2" ssl; } | write "$site/listen-https.conf"
    rm -f "$site/https-port.map"
    [ "$2" = "${first_ports[1]}" ] || printf '# Written by picamctl ports.\n"" ":%s";\n' "$2" | write "$site/https-port.map"
    [ ! -f "$site/https-port.map" ] || chmod 644 "$site/https-port.map"
}

# ---- Who else is there ----

# nginx's configuration as nginx -T prints it; one that it refuses, as far as its files are where they mostly are.
configuration() {
    local file
    "${nginx[@]}" -T 2>/dev/null || for file in /etc/nginx/nginx.conf /etc/nginx/conf.d/*.conf /etc/nginx/sites-enabled/*; do
        [ ! -f "$file" ] || { printf '# configuration file %s:\n' "$file" && cat "$file" && echo; }
    done
}

# Where it listens, without picam's site: "PORT FILE" each.
other_sites() {
    configuration | awk -v own="$etc/" '
        function leave() {
            if (depth == server) {
                if (!listens) found[++count] = "80 " file
                server = 0
            }
            depth--
        }
        function directive(   port, i) {
            if (!words) return
            if (word[1] == "include" && word[2] ~ /(^|\/)picam\/guard\.conf$/) picams[file] = 1
            if (word[1] == "include") listens = 1 # perhaps there
            if (word[1] != "listen") return
            listens = 1
            port = word[2]
            for (i = 3; i <= words; i++) if (word[i] == "udp" || word[i] == "quic") return
            if (port ~ /^unix:/ || port ~ /^(127\.|localhost|\[::1\])/) return
            if (port !~ /^[0-9]+$/) port = port ~ /:[0-9]+$/ ? substr(port, match(port, /[0-9]+$/)) : 80
            found[++count] = port " " file
        }
        /^# configuration file .*:$/ {
            file = substr($0, 22, length($0) - 22)
            depth = server = words = 0
            next
        }
        {
            line = $0
            while (line != "") {
                if (match(line, /^[ \t\r]+/)) {
                } else if (line ~ /^#/) {
                    break
                } else if (match(line, /^"([^"\\]|\\.)*"/) || match(line, /^\047([^\047\\]|\\.)*\047/)) {
                    word[++words] = substr(line, 2, RLENGTH - 2)
                } else if (match(line, /^[{};]/)) {
                    char = substr(line, 1, 1)
                    if (char == "{") {
                        depth++
                        if (word[1] == "server" && words == 1) {
                            server = depth
                            listens = 0
                        }
                    } else if (char == "}") leave()
                    else directive()
                    words = 0
                } else {
                    match(line, /^([^ \t\r;{}"\047\\]|\\.|\$\{[^}]*\})+|^./)
                    word[++words] = substr(line, 1, RLENGTH)
                }
                line = substr(line, RLENGTH + 1)
            }
        }
        END {
            for (i = 1; i <= count; i++) {
                name = found[i]
                sub(/^[0-9]+ /, "", name)
                if (index(name, own) != 1 && !(name in picams)) print found[i]
            }
        }' | sort -u
}

# The page that nginx's package brings, as it brought it: a site of nobody's.
is_nobodys() { # FILE
    local file
    file=$(realpath -e -- "$1" 2>/dev/null) || return 1
    case $file in
    /etc/nginx/sites-available/default | /etc/nginx/conf.d/default.conf) ;;
    *) return 1 ;;
    esac
    # shellcheck disable=SC2016
    { dpkg-query -W -f='${Conffiles}\n' nginx-common nginx 2>/dev/null || true; } | grep -F " $file $(md5sum <"$file" | cut -d' ' -f1)" >/dev/null &&
        [ -z "$(find /var/www/html -mindepth 1 ! -name index.nginx-debian.html 2>/dev/null | head -1)" ]
}

# The program, if it is not nginx, that listens at a port: its name.
other_program() { # PORT
    local inode process name
    { cat /proc/net/tcp /proc/net/tcp6 2>/dev/null || true; } | # one of them without IPv6
        awk -v port=":$(printf %04X "$1")" '$4 == "0A" && substr($2, length($2) - 4) == port {print $10}' | while read -r inode; do
        process=$(find /proc/[0-9]*/fd -lname "socket:\\[$inode\\]" -print -quit 2>/dev/null | cut -d/ -f3) || true # others end meanwhile
        name=$(cat "/proc/${process:-none}/comm" 2>/dev/null || echo "a program")
        [ "$name" = nginx ] || { echo "$name" && break; }
    done
}

# Who else has a port, in words; nothing where nobody has.
holder() { # PORT OTHER_SITES
    local port file program
    while read -r port file; do
        [ "$port" = "$1" ] && ! is_nobodys "$file" && echo "the site $file" && return
    done <<<"$2"
    program=$(other_program "$1")
    [ -z "$program" ] || echo "$program"
}

camera_at() { # PORT: the further camera that has it
    local camera
    for camera in $(camera_names); do
        [ "$(camera_port "$camera")" != "$1" ] || echo "$camera"
    done
}

# For a new installation.
choose_ports() {
    local i port who others ports=()
    others=$(other_sites)
    for i in 0 1; do
        port=${first_ports[$i]}
        who=$(holder "$port" "$others")
        if [ -n "$who" ]; then
            port=${other_ports[$i]}
            while [ -n "$(holder "$port" "$others")$(camera_at "$port")" ] || [ "$port" = "${ports[0]:-}" ]; do
                port=$((port + 1))
            done
            echo "Port ${first_ports[$i]} is left to $who, which has it: picam's $([ $i -eq 0 ] && echo HTTP || echo HTTPS) is at port $port (picamctl ports)."
        fi
        ports+=("$port")
    done
    write_ports "${ports[@]}"
}

cmd_ports() {
    local port who others
    if [ $# -eq 0 ]; then
        echo "HTTP $(site_port http), HTTPS $(site_port https)"
        return
    fi
    if [ $# -ne 2 ] || [ "$1" = "$2" ]; then
        die "ports HTTP HTTPS: two numbers"
    fi
    need_root
    grep -qs listen-https "$available" || die "$available has listen lines of its own: change them there"
    others=$(other_sites)
    for port; do
        valid_port "$port"
        who=$(camera_at "$port")
        [ -z "$who" ] || die "port $port is the camera $who's"
        who=$(other_program "$port")
        [ -z "$who" ] || die "port $port is taken: $who listens there"
        who=$(holder "$port" "$others")
        [ -z "$who" ] || echo "Port $port is shared with $who: numbers and local names that it does not name lead to picam from now on."
    done
    begin
    write_ports "$1" "$2"
    rewrite_cameras
    write_http "$(http_is)"
    commit
    [ "$1" = "${first_ports[0]}" ] || echo "A certificate authority asks port ${first_ports[0]}: picamctl tls acme cannot get a certificate now."
}

# ---- As whom nginx runs ----

find_nginx_user() {
    local said
    said=$(configuration | awk '$1 == "user" && !found {sub(/;.*/, ""); print $2, ($3 == "" ? $2 : $3); found = 1}') || true
    [ -z "$said" ] || read -r nginx_user nginx_group <<<"$said"
}

# The package's units and folders are for Debian's user of nginx. For another, files of the administrator's kind say so.
write_nginx_group() {
    local folder=$systemd/picam-snapshot@.socket.d relay=$systemd/picam-relay@.service.d before after
    before=$(cat "$tmpfiles" "$folder/nginx-group.conf" "$relay/nginx-group.conf" 2>/dev/null || true)
    if [ "$nginx_group" = www-data ]; then
        rm -f "$tmpfiles" "$folder/nginx-group.conf" "$relay/nginx-group.conf"
        rmdir "$folder" "$relay" 2>/dev/null || true
    else
        (
            umask 022
            mkdir -p "$folder" "$relay" "${tmpfiles%/*}"
            printf '# Written by picamctl setup: nginx runs as group %s.\nd /run/picam 2750 picam %s -\n' "$nginx_group" "$nginx_group" | write "$tmpfiles"
            printf '# Written by picamctl setup.\n[Socket]\nSocketGroup=%s\n' "$nginx_group" | write "$folder/nginx-group.conf"
            printf '# Written by picamctl setup.\n[Service]\nSupplementaryGroups=\nSupplementaryGroups=picam %s\n' "$nginx_group" | write "$relay/nginx-group.conf"
        )
    fi
    after=$(cat "$tmpfiles" "$folder/nginx-group.conf" "$relay/nginx-group.conf" 2>/dev/null || true)
    if [ "$before" = "$after" ] || [ -n "${PICAM_NGINX:-}" ]; then
        return
    fi
    systemd-tmpfiles --create picam.conf || true
    if [ -d /run/systemd/system ]; then
        systemctl daemon-reload
        systemctl try-restart 'picam-snapshot@*.socket' 'picam-streamd@*.service' 'picam-relay@*.service' || true
    fi
}

# ---- Whether nginx takes the site ----

nginx_refuses() { # says why; false when it takes its configuration
    local said
    ! said=$("${nginx[@]}" -t 2>&1) || return 1
    grep -m1 -E 'emerg|error' <<<"$said" | sed -E 's/^.*\[(emerg|error)\] ([0-9]+#[0-9]+: )?//' || echo "$said"
}

remedy() { # WHY
    case $1 in
    *"Address family not supported"*) echo "this kernel has no IPv6: picamctl ports $(site_port http) $(site_port https) takes picam's listen lines for it away; other sites' are theirs" ;;
    *'unknown "picam_'*) echo "a file of picam's site that was changed here is of an older version: compare with FILE.dpkg-dist beside it, or apt install --reinstall -o Dpkg::Options::=--force-confask picam" ;;
    *picam_* | *'"picam"'*) echo "another site has a zone, a log format or the like of that name, which is picam's: it needs another one there" ;;
    *"$etc/"* | */nginx/picam/* | */picam:* | */picam.conf:*) echo "mend what was changed there in picam's site, or apt install --reinstall -o Dpkg::Options::=--force-confask picam" ;;
    *) echo "this is not picam's: mend it where nginx -t says" ;;
    esac
}

enabled_link() {
    # nginx.org's package knows no sites-enabled.
    if [ ! -d /etc/nginx/sites-enabled ] || ! grep -qs '^[^#]*include.*sites-enabled' /etc/nginx/nginx.conf; then
        echo /etc/nginx/conf.d/picam.conf
    else
        echo /etc/nginx/sites-enabled/picam
    fi
}

is_enabled() {
    local link
    link=$(enabled_link)
    [ -L "$link" ] || [ -e "$link" ]
}

# The site, on, if nginx takes it; else off, for nginx would not start the next time. What is wrong elsewhere is no reason.
cmd_enable() {
    local link why others
    need_root
    # deploy/run had nginx installed, and not started at boot.
    if [ -e "$lib/nginx-was-disabled" ] && [ -d /run/systemd/system ]; then
        systemctl --quiet enable nginx.service && rm -f "$lib/nginx-was-disabled"
    fi
    link=$(enabled_link)
    [ ! -L "$lib/site-link" ] || mv "$lib/site-link" "$link" # of one that was killed
    if is_enabled; then
        why=$(nginx_refuses) || return 0
        mv "$link" "$lib/site-link"
        empty_mounts
        if others=$(nginx_refuses); then
            mv "$lib/site-link" "$link"
            write_mounts
            echo "picamctl: nginx refuses its configuration, and not for picam's site: $others" >&2
            return 1
        fi
        rm -f "$lib/site-link"
    else
        if others=$(nginx_refuses); then
            why=$others
        else
            ln -s "$available" "$link"
            write_mounts
            if ! why=$(nginx_refuses); then
                reload_nginx
                return
            fi
            rm "$link"
            empty_mounts
        fi
    fi
    printf 'picamctl: the site is not enabled, for nginx would not start: %s\n          %s; then: picamctl enable\n' "$why" "$(remedy "$why")" >&2
    return 1
}
