# picamctl relay: a camera published to an engine, or one joined where it is published; read by picamctl.
# shellcheck shell=bash disable=SC2154

seeds=$etc/relay
engine_reload="nats-server -c /etc/picam-engine/nats-server.conf -t && systemctl reload nats-server"

# ---- nkeys: an Ed25519 key as base32 text, with a prefix that says what it is and a checksum (CRC16/XMODEM) ----

# What a command prints, as hexadecimal digits. A private key goes through pipes alone, never through a command's arguments.
to_hex() { od -An -v -tx1 | tr -d ' \n'; }
from_hex() { # HEX
    local i escaped=
    for ((i = 0; i < ${#1}; i += 2)); do escaped+="\\x${1:i:2}"; done
    printf '%b' "$escaped"
}

nkey_text() { # HEX: prefix and key
    local i bit crc=0
    for ((i = 0; i < ${#1}; i += 2)); do
        crc=$((crc ^ 16#${1:i:2} << 8))
        for ((bit = 0; bit < 8; bit++)); do
            crc=$((crc & 0x8000 ? (crc << 1 ^ 0x1021) & 0xffff : crc << 1))
        done
    done
    from_hex "$1$(printf '%02x%02x' $((crc & 0xff)) $((crc >> 8)))" | base32 -w 0 | tr -d '='
}

ed25519_der=302e020100300506032b657004220420 # what stands before the key in PKCS #8 (RFC 8410)
seed_prefix=9500                             # a seed, of a user
public_prefix=a0                             # a user

new_seed() {
    local der
    der=$(openssl genpkey -algorithm ED25519 -outform DER | to_hex)
    [[ $der =~ ^${ed25519_der}[0-9a-f]{64}$ ]] || die "openssl made no Ed25519 key"
    nkey_text "$seed_prefix${der: -64}"
}

public_of() { # FILE with a seed; nothing where it holds none
    local seed hex public
    seed=$(head -n 1 "$1" 2>/dev/null) || return 0
    [[ $seed =~ ^SU[A-Z2-7]{56}$ ]] || return 0
    hex=$(printf '%s======' "$seed" | base32 -d 2>/dev/null | to_hex)
    [ "$(nkey_text "${hex:0:68}")" = "$seed" ] || return 0
    public=$(from_hex "$ed25519_der${hex:4:64}" | openssl pkey -inform DER -pubout -outform DER | to_hex)
    nkey_text "$public_prefix${public: -64}"
}

# ---- Settings and files ----

# Settings of a camera's own: set_variables CAMERA NAME=VALUE…; without a value one is taken away.
set_variables() {
    local camera=$1 one names=
    shift
    for one; do names+="${names:+|}${one%%=*}"; done
    {
        grep -vE "^[[:space:]]*($names)[[:space:]]*=" "$etc/$camera.env" 2>/dev/null || true
        for one; do [ -z "${one#*=}" ] || printf '%s="%s"\n' "${one%%=*}" "${one#*=}"; done
    } | write "$etc/$camera.env"
}

# A joined camera's source is the relay; what it was stays in the file, for leave.
kept='#before relay join: '
feed_from_relay() { # CAMERA
    [ "$(setting "$1" camera source)" != feed ] || return 0
    [ ! -f "$etc/$1.env" ] || sed "s/^PICAM_CAMERA_SOURCE=/$kept&/" "$etc/$1.env" | write "$etc/$1.env"
    set_variables "$1" PICAM_CAMERA_SOURCE=feed
}
feed_as_before() { # CAMERA
    set_variables "$1" PICAM_CAMERA_SOURCE=
    sed "s/^$kept//" "$etc/$1.env" | write "$etc/$1.env"
}

restart_camera() { # CAMERA
    [ ! -d /run/systemd/system ] || systemctl try-restart "picam-streamd@$1.service" "picam-snapshot@$1.service"
}

valid_server() {
    [[ $1 =~ ^(tls|nats)://([A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(:[0-9]{1,5})?$ ]] ||
        die "\"$1\" is no server: tls://engine.example.org:4222"
    case $1 in
    tls://* | nats://127.* | nats://localhost:* | nats://localhost | 'nats://[::1]'*) ;;
    *) echo "Without TLS whoever is on the way to $1 can see the pictures, and put others in their place." ;;
    esac
}

# The file of the authority where picam-relay can read it, and with it what is written into the settings.
place_ca() { # FILE CAMERA
    local file
    file=$(realpath -e -- "$1" 2>/dev/null) || die "there is no $1"
    openssl x509 -in "$file" -noout 2>/dev/null || die "$file holds no certificate"
    case $file in
    /etc/* | /usr/* | "$etc"/*) ca=$file ;; # an administrator's place: it may be replaced there
    *)
        ca=$etc/$2.relay-ca.pem
        write "$ca" <"$file"
        chmod 644 "$ca"
        ;;
    esac
    [[ $ca =~ ^[A-Za-z0-9/._@+,=:-]+$ ]] || die "letters, digits and /._@+,=:- only in the path $ca"
}

# The line of the engine's users.conf: what this relay may send and read there.
relay_entry() { # CAMERA
    local role name key p
    role=$(setting "$1" relay role)
    key=$(setting "$1" relay nkey)
    name=$(setting "$1" relay camera)
    p=picam.v1.${name:-$1}
    printf '    # %s, %s of %s\n' "$role" "$1" "$(uname -n)"
    if [ "$role" = publish ]; then
        cat <<TEXT
    { nkey: $key, permissions: {
        publish: ["$p.frame", "$p.mark", "$p.state", "$p.part"]
        subscribe: ["$p.mark", "$p.want", "$p.still"]
        allow_responses: true } }
TEXT
    else
        cat <<TEXT
    { nkey: $key, permissions: {
        publish: ["$p.want", "$p.still", "_picam.$key.>"]
        subscribe: ["$p.frame", "$p.state", "$p.part", "_picam.$key.>"] } }
TEXT
    fi
}

relay_begin() { # publish|join ARGUMENT…
    local role=$1 camera=$first_camera servers=() named='' server list='' authority='' name='' new_key='' added='' ca='' key
    shift
    while [ $# -gt 0 ]; do
        case $1 in
        --server | --ca | --camera)
            [ $# -ge 2 ] || die "$1 takes a value"
            case $1 in
            --server) servers+=("$2") ;;
            --ca) authority=$2 ;;
            --camera) name=$2 ;;
            esac
            shift
            ;;
        --new-key) new_key=yes ;;
        -*) die "relay $role has no $1" ;;
        *)
            [ -z "$named" ] || die "relay $role takes one camera"
            camera=$1
            named=yes
            ;;
        esac
        shift
    done
    [ "$camera" = "$first_camera" ] || valid_camera "$camera"
    [[ $name =~ ^[A-Za-z0-9_-]{0,32}$ ]] || die "a camera's name at the engine is letters, digits, - and _, up to 32"
    for server in "${servers[@]}"; do
        valid_server "$server"
        list+=${list:+, }$server
    done
    need_root
    command -v picam-relay >/dev/null || die "picam-relay is not installed, which is a package of its own: apt install ./picam-relay_*.deb"
    if ! camera_names | grep -x -- "$camera" >/dev/null; then
        [ "$role" = join ] || die "there is no camera $camera: picamctl camera add"
        valid_new_camera "$camera" ""
        added=yes
    fi
    [ -n "$list" ] || [ "$(setting "$camera" relay servers)" != "[]" ] || die "which engine? --server tls://engine.example.org:4222"

    begin
    if [ -n "$added" ]; then
        write_camera "$camera" ""
        commit
    else
        keep # nginx has no part in the rest
    fi
    mkdir -p "$seeds"
    chmod 700 "$seeds"
    [ -z "$authority" ] || place_ca "$authority" "$camera"
    if [ -n "$new_key" ] || [ ! -e "$seeds/$camera.seed" ]; then
        { new_seed && echo; } | write "$seeds/$camera.seed"
    fi
    chmod 600 "$seeds/$camera.seed"
    key=$(public_of "$seeds/$camera.seed")
    [ -n "$key" ] || die "$seeds/$camera.seed holds no key: --new-key makes one"
    if [ "$role" = join ]; then
        feed_from_relay "$camera"
    elif [ "$(setting "$camera" relay role)" = join ]; then
        feed_as_before "$camera"
    fi
    set_variables "$camera" "PICAM_RELAY_ROLE=$role" "PICAM_RELAY_NKEY=$key"
    [ -z "$list" ] || set_variables "$camera" "PICAM_RELAY_SERVERS=$list"
    [ -z "$ca" ] || set_variables "$camera" "PICAM_RELAY_CA=$ca"
    [ -z "$name" ] || set_variables "$camera" "PICAM_RELAY_CAMERA=$name"
    if [ -d /run/systemd/system ]; then
        [ -z "$added" ] || systemctl --quiet enable --now "picam@$camera.target"
        restart_camera "$camera"
        systemctl --quiet enable "picam-relay@$camera.service"
        systemctl restart "picam-relay@$camera.service"
    fi
    name=$(setting "$camera" relay camera)
    [ "$role" = join ] || [ "${name:-$camera}" != "$first_camera" ] ||
        echo "At the engine its name is $first_camera; another host's may be, too: --camera NAME gives it one of its own."
    relay_say_entry "$camera"
}

relay_say_entry() { # CAMERA
    echo "Into users: [ … ] of the engine's users.conf, in place of an older entry of this relay:"
    echo
    relay_entry "$1"
    echo
    echo "then, on each of its nodes: $engine_reload"
    echo "picamctl check says here whether it is connected."
}

has_relay() { # CAMERA
    [ -e "$seeds/$1.seed" ] || grep -qs '^PICAM_RELAY_ROLE=' "$etc/$1.env"
}

relay_leave() { # CAMERA
    local key
    key=$(public_of "$seeds/$1.seed")
    [ ! -d /run/systemd/system ] || systemctl --quiet disable --now "picam-relay@$1.service" || true
    [ "$(setting "$1" relay role)" != join ] || feed_as_before "$1"
    set_variables "$1" PICAM_RELAY_ROLE= PICAM_RELAY_SERVERS= PICAM_RELAY_CA= PICAM_RELAY_CAMERA= PICAM_RELAY_NKEY= PICAM_RELAY_SEED=
    [ -s "$etc/$1.env" ] || rm -f "$etc/$1.env"
    rm -f "$seeds/$1.seed" "$etc/$1.relay-ca.pem"
    rmdir "$seeds" 2>/dev/null || true
    [ -z "$key" ] || echo "Out of the engine's users.conf, on each of its nodes, goes the entry of $key; then: $engine_reload"
}

cmd_relay() {
    local what=${1:-} camera=${2:-$first_camera}
    case $what in
    publish | join)
        relay_begin "$@"
        return
        ;;
    entry | leave)
        [ $# -le 2 ] || die "relay $what takes one camera"
        need_root
        camera_names | grep -x -- "$camera" >/dev/null || die "there is no camera $camera"
        has_relay "$camera" || die "$camera has no relay"
        ;;
    *) die "relay publish, relay join, relay entry or relay leave, each with [CAMERA]; picamctl(8) has their options" ;;
    esac
    if [ "$what" = entry ]; then
        relay_say_entry "$camera"
        return
    fi
    begin
    keep # nginx has no part in it
    relay_leave "$camera"
    restart_camera "$camera"
}

# ---- For picamctl check ----

check_relay() { # CAMERA
    local role seed key ca unit state said server servers
    role=$(setting "$1" relay role) || return 0 # bad settings: check_settings has said it
    case $role in publish | join) ;; *) return 0 ;; esac
    command -v picam-relay >/dev/null || {
        bad "$1: relay.role is $role, and picam-relay is not installed" "apt install ./picam-relay_*.deb, or picamctl relay leave $1"
        return
    }
    servers=$(setting "$1" relay servers)
    [ "$servers" != "[]" ] || bad "$1: relay.servers names no engine" "picamctl relay $role $1 --server tls://engine.example.org:4222"
    key=$(setting "$1" relay nkey)
    seed=$(setting "$1" relay seed)
    seed=${seed:-$seeds/$1.seed}
    if [ -z "$key" ]; then
        note "$1: relay.nkey is empty: the relay shows the engine no key (picamctl relay $role $1)"
    else
        case $(stat -L -c '%F %a %U' "$seed" 2>/dev/null || echo missing) in
        missing) bad "$1: the relay's key $seed is not there" "picamctl relay $role $1, and the entry that it prints to the engine" ;;
        "regular file 600 root" | "regular file 400 root")
            if [ "$(public_of "$seed")" = "$key" ]; then
                good "$1: the relay's key $seed"
            else
                bad "$1: $seed is not the key of relay.nkey" "picamctl relay $role $1, and the entry that it prints to the engine"
            fi
            ;;
        *) bad "$1: the relay's key $seed is not root's alone" "chown root: $seed; chmod 600 $seed" ;;
        esac
    fi
    ca=$(setting "$1" relay ca)
    case $servers in
    *tls://*)
        if [ ! -s "$ca" ] || ! openssl x509 -in "$ca" -noout 2>/dev/null; then
            bad "$1: relay.ca $ca holds no certificate" "picamctl relay $role $1 --ca FILE, with the CA of the engine's certificates; a public one's: apt install ca-certificates"
        elif id picam-relay >/dev/null 2>&1 && ! setpriv --reuid picam-relay --regid picam-relay --clear-groups test -r "$ca"; then
            bad "$1: picam-relay may not read $ca" "chmod 644 $ca, and 755 for the folders above it"
        else
            good "$1: the relay's $ca"
        fi
        ;;
    esac
    for server in ${servers//[][\",]/ }; do
        case $server in
        nats://127.* | nats://localhost:* | 'nats://[::1]'*) ;;
        nats://*) note "$1: the way to $server is without TLS" ;;
        esac
    done
    [ "$role" != join ] || [ "$(setting "$1" camera source)" = feed ] ||
        bad "$1: it is joined, and camera.source is not feed: nobody takes the relay's pictures" "PICAM_CAMERA_SOURCE=feed in $etc/$1.env; systemctl restart picam@$1.target"
    [ -d /run/systemd/system ] || return 0
    unit=picam-relay@$1.service
    state=$(systemctl is-active "$unit" || true)
    if [ "$state" != active ]; then
        bad "$1: $unit is $state" "systemctl restart $unit; journalctl -u $unit says why it ended"
        return
    fi
    systemctl --quiet is-enabled "$unit" || bad "$1: $unit does not start at boot" "systemctl enable $unit"
    said=$(systemctl show -P StatusText "$unit")
    case $said in
    "connected to "*"unavailable: "*) note "$1: the relay is $said" ;; # what is wrong is elsewhere
    "connected to "*) good "$1: the relay is $said" ;;
    *"does not let this key in"*) bad "$1: the relay: $said" "picamctl relay entry $1 prints what belongs into the engine's users.conf" ;;
    *) bad "$1: the relay: ${said:-it says nothing}" "does the engine run, does a firewall let its port through? journalctl -u $unit has more" ;;
    esac
}
