#!/usr/bin/env bash
# What a package holds, this machine's or that of the architecture that is given: its conffiles are all of its files in
# /etc, its manual names every setting, its units are good.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
package=$(ls "$top"/build/package/picam_*_"${1:-$(dpkg --print-architecture)}".deb)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fail() {
    echo "$*" >&2
    exit 1
}

dpkg-deb -R "$package" "$folder"
diff <(cd "$folder" && find etc -type f | sed 's#^#/#' | sort) <(sort "$folder/DEBIAN/conffiles") ||
    fail "the conffiles are not the files in /etc"

manual=$(zcat "$folder/usr/share/man/man5/picam.conf.5.gz" | sed 's/\\-/-/g')
section=
while read -r line; do
    case $line in
    "["*) section=${line#\[} && section=${section%\]}. ;;
    "#"[a-z]*) grep -qF ".B $section${line:1:20}" <<<"${manual//\\(dq/\"}" || fail "picam.conf(5) has no $section$line" ;;
    esac
done <"$top/deploy/picam.conf"
for page in "$folder"/usr/share/man/man*/*.gz; do
    said=$(LC_ALL=C.UTF-8 man --warnings -l "$page" 2>&1 >/dev/null) || fail "$page: $said"
    [ -z "$said" ] || fail "$page: $said"
done

picamctl_page=$(LC_ALL=C.UTF-8 man -l "$folder/usr/share/man/man8/picamctl.8.gz")
for command in passwd user open close http tls hsts name camera ports get set enable check status; do
    grep -qE "^  (open \| )?$command\b" <(PICAM_SHARE=$folder/usr/share/picam bash "$folder/usr/sbin/picamctl" --help) || fail "picamctl --help lacks $command"
    grep -q "$command" "$folder/usr/share/bash-completion/completions/picamctl" || fail "the completion lacks $command"
    grep -qE "^ +(open[^,]*, )?$command\b" <<<"$picamctl_page" || fail "picamctl(8) lacks $command"
done
complete() { # complete WORD…: what bash offers for the last
    bash -c 'source "$1" && COMP_WORDS=("${@:2}") && COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) && _picamctl && echo "${COMPREPLY[*]}"' \
        - "$folder/usr/share/bash-completion/completions/picamctl" "$@"
}
[ "$(complete picamctl tl)" = tls ] || fail "picamctl tl does not become tls"
[ "$(complete picamctl tls "")" = "self-signed files acme renew" ] || fail "picamctl tls has no completion"
# A stranger's umask or setuid bit has no place in it.
[ -z "$(find "$folder/usr" "$folder/etc" -perm /6022)" ] || fail "files that others may write, or setuid ones"
if command -v systemd-analyze >/dev/null; then
    # Its programs and its user are not installed here.
    said=$(SYSTEMD_UNIT_PATH="$folder/usr/lib/systemd/system:" systemd-analyze verify --man=no \
        "$folder"/usr/lib/systemd/system/picam.target "$folder"/usr/lib/systemd/system/picam-*@.service 2>&1 |
        grep -v -e 'is not executable' -e 'RestartSteps' -e 'RestartMaxDelaySec' | grep picam || true)
    [ -z "$said" ] || fail "$said"
fi
echo "$(basename "$package"): $(find "$folder/usr" "$folder/etc" -type f | wc -l) files"
