# picamctl passwd, user, open and close: who may come, and who may change the cameras' controls; read by picamctl.
#
# A line of the users' file is NAME:HASH for a viewer and NAME:HASH:operator for an operator; nginx reads the first two.
# shellcheck shell=bash disable=SC2154

min_password=10

random_password() {
    # 20 characters of 32, none like another: 100 bits.
    LC_ALL=C tr -dc 'a-km-np-z2-9' </dev/urandom | head -c 20 || true
}

# Asks twice at a terminal; else takes a line of standard input.
read_password() {
    local again
    if [ -t 0 ]; then
        read -r -s -p "New password: " password && echo >&2
        read -r -s -p "Again: " again && echo >&2
        [ "$password" = "$again" ] || die "these two differ"
    else
        IFS= read -r password || [ -n "$password" ] || die "no password on standard input"
    fi
    [ ${#password} -ge $min_password ] || die "a password has at least $min_password characters"
    [ ${#password} -le 128 ] || die "a password has at most 128 characters"
}

# SHA-512 with 5000 rounds: some milliseconds for each guess; guard.conf sees to how often. Who is there keeps role and place.
user_set() { # NAME PASSWORD
    local hash
    hash=$(printf '%s\n' "$2" | openssl passwd -6 -stdin)
    if user_known "$1"; then
        awk -F: -v OFS=: -v name="$1" -v hash="$hash" '$1 == name {$2 = hash} {print}' "$users" | write "$users"
    else
        { [ ! -f "$users" ] || cat "$users"; printf '%s:%s\n' "$1" "$hash"; } | write "$users"
    fi
}

user_role() { # NAME ROLE: gives it
    awk -F: -v name="$1" -v role="$2" '$1 == name {$0 = $1 ":" $2 (role == "operator" ? ":operator" : "")} {print}' "$users" | write "$users"
}

operators() {
    [ ! -f "$users" ] || awk -F: '$3 == "operator" && $1 ~ /^[A-Za-z0-9][A-Za-z0-9._@-]*$/ {print $1}' "$users"
}

# For guard.conf, which says more. Nothing in a name is part of an expression.
write_operators() {
    {
        echo "# Written by picamctl at each change: who may change the cameras' controls, as the users' file says."
        # shellcheck disable=SC2016
        operators | sed -e 's/[^A-Za-z0-9]/\\&/g' -e 's/.*/"~^&$" operator;/'
    } | write "$site/operators.map"
}

say_no_operator() {
    [ -n "$(operators)" ] || is_open || echo "Nobody can change the cameras' controls now: picamctl user operator NAME lets one."
}

user_known() {
    [ -f "$users" ] && awk -F: -v name="$1" '$1 == name {found = 1} END {exit !found}' "$users"
}

is_open_to_changes() {
    # shellcheck disable=SC2016
    is_open && grep -q '^set \$picam_role operator;' "$site/access.conf"
}

is_open() {
    [ -f "$site/access.conf" ] && ! grep -q '^include picam/password.conf;' "$site/access.conf"
}

# nginx keeps a "yes" and the role for some minutes, by a key with this text: another text makes them void at once. A login that is asked
# again counts as a guess, so other changes leave it.
write_access() {
    printf '# Written by picamctl close, user and passwd.\n"" "%s";\n' "$(date +%s.%N)" | write "$site/login-key.map"
    chmod 644 "$site/login-key.map"
    write "$site/access.conf" <<TEXT
# Written by picamctl close, user and passwd.
include picam/password.conf;
location = /picam-login {
    include picam/ask-login.conf;
}
TEXT
    write_mounts
}

cmd_passwd() {
    local name=${1:-$first_user} password
    valid_user "$name"
    need_root
    user_known "$name" || die "there is no user $name"
    read_password
    begin
    user_set "$name" "$password"
    is_open || write_access
    commit
    [ "$name" != "$first_user" ] || rm -f "$etc/first-password"
    echo "$name has a new password."
}

cmd_user() {
    local what=${1:-} name=${2:-} role=${3:-} password
    case $what in
    list)
        [ ! -r "$users" ] && [ -e "$users" ] && need_root
        [ ! -f "$users" ] || awk -F: '{print $1 ($3 == "operator" ? "\toperator" : "")}' "$users"
        return
        ;;
    add)
        [ "$name" != --operator ] || { name=$role role=--operator; }
        case $role in "" | --operator) ;; *) die "user add NAME [--operator]" ;; esac
        ;;
    del | operator | viewer) ;;
    *) die "user add NAME [--operator], user del NAME, user operator NAME, user viewer NAME or user list" ;;
    esac
    [ -n "$name" ] || die "which user?"
    valid_user "$name"
    need_root
    if [ "$what" = add ]; then
        case $name in
        anyone | picamctl) die "$name is what logs call those who change something without a login" ;;
        esac
        ! user_known "$name" || die "$name is there already; picamctl passwd $name changes the password"
        read_password
        begin
        user_set "$name" "$password"
        [ -z "$role" ] || user_role "$name" operator
    else
        user_known "$name" || die "there is no user $name"
        begin
        if [ "$what" = del ]; then
            awk -F: -v name="$name" '$1 != name' "$users" | write "$users"
            [ -s "$users" ] || is_open || die "$name is the last user: nobody could log in"
        else
            user_role "$name" "$what"
        fi
    fi
    is_open || write_access
    commit
    [ "$what" != del ] || [ "$name" != "$first_user" ] || rm -f "$etc/first-password"
    say_no_operator
}

cmd_open() {
    case ${1:-} in
    "" | --controls) ;;
    *) die "open, or open --controls" ;;
    esac
    begin
    {
        echo "# Written by picamctl open: no password."
        echo "auth_request off;"
        # shellcheck disable=SC2016
        [ -z "${1:-}" ] || printf 'set $picam_user anyone;\nset $picam_role operator;\n'
    } | write "$site/access.conf"
    write_mounts
    commit
    if [ -z "${1:-}" ]; then
        echo "The site asks for no password now, and nobody can change the cameras' controls. picamctl close undoes this."
    else
        echo "The site asks for no password now, and whoever reaches it can change the cameras' controls. picamctl close undoes this."
    fi
}

cmd_close() {
    [ -s "$users" ] || die "there is no user; picamctl user add NAME first"
    begin
    write_access
    commit
    echo "The site asks for a password now."
}
