# picamctl passwd, user, open and close: who may come; read by picamctl.
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

# user_set NAME PASSWORD. SHA-512 with 5000 rounds: some milliseconds for each guess; guard.conf sees to how often.
user_set() {
    local hash
    hash=$(printf '%s\n' "$2" | openssl passwd -6 -stdin)
    { [ ! -f "$users" ] || awk -F: -v name="$1" '$1 != name' "$users"; printf '%s:%s\n' "$1" "$hash"; } | write "$users"
}

user_known() {
    [ -f "$users" ] && awk -F: -v name="$1" '$1 == name {found = 1} END {exit !found}' "$users"
}

is_open() {
    [ -f "$site/access.conf" ] && ! grep -q '^include picam/password.conf;' "$site/access.conf"
}

# nginx keeps a "yes" for some minutes, by a key with this text: another text makes them void at once. A login that is asked
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
    local what=${1:-} name=${2:-} password
    case $what in
    list)
        [ ! -r "$users" ] && [ -e "$users" ] && need_root
        [ ! -f "$users" ] || cut -d: -f1 "$users"
        return
        ;;
    add | del) [ -n "$name" ] || die "which user?" ;;
    *) die "user add NAME, user del NAME or user list" ;;
    esac
    valid_user "$name"
    need_root
    if [ "$what" = add ]; then
        ! user_known "$name" || die "$name is there already; picamctl passwd $name changes the password"
        read_password
        begin
        user_set "$name" "$password"
    else
        user_known "$name" || die "there is no user $name"
        begin
        awk -F: -v name="$name" '$1 != name' "$users" | write "$users"
        [ -s "$users" ] || is_open || die "$name is the last user: nobody could log in"
    fi
    is_open || write_access
    commit
    [ "$what" = add ] || [ "$name" != "$first_user" ] || rm -f "$etc/first-password"
}

cmd_open() {
    begin
    printf '# Written by picamctl open: no password.\nauth_request off;\n' | write "$site/access.conf"
    write_mounts
    commit
    echo "The site asks for no password now. picamctl close undoes this."
}

cmd_close() {
    [ -s "$users" ] || die "there is no user; picamctl user add NAME first"
    begin
    write_access
    commit
    echo "The site asks for a password now."
}
