#!/usr/bin/env bash
# What the packages hold, this machine's or those of the architecture that is given: picam's conffiles are all of its files in
# /etc, its manual names every setting, units are good; picam-relay is what has a network, and all that needs libnats.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
architecture=${1:-$(dpkg --print-architecture)}
package=$(ls "$top"/build/package/picam_*_"$architecture".deb)
relay_package=$(ls "$top"/build/package/picam-relay_*_"$architecture".deb)
folder=$(mktemp -d)
relay=$(mktemp -d)
trap 'rm -rf "$folder" "$relay"' EXIT
fail() {
    echo "$*" >&2
    exit 1
}

dpkg-deb -R "$package" "$folder"
dpkg-deb -R "$relay_package" "$relay"
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
for page in "$folder"/usr/share/man/man*/*.gz "$relay"/usr/share/man/man*/*.gz; do
    said=$(LC_ALL=C.UTF-8 man --warnings -l "$page" 2>&1 >/dev/null) || fail "$page: $said"
    [ -z "$said" ] || fail "$page: $said"
done

picamctl_page=$(LC_ALL=C.UTF-8 man -l "$folder/usr/share/man/man8/picamctl.8.gz")
for command in passwd user open close http tls hsts name camera mount proxy ports relay get set enable check status; do
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
[ "$(complete picamctl relay pub)" = publish ] && [ "$(complete picamctl relay publish garage --s)" = --server ] || fail "picamctl relay has no completion"
# A stranger's umask or setuid bit has no place in it.
[ -z "$(find "$folder/usr" "$folder/etc" "$relay/usr" -perm /6022)" ] || fail "files that others may write, or setuid ones"
if command -v systemd-analyze >/dev/null; then
    # Its programs and its user are not installed here.
    said=$(SYSTEMD_UNIT_PATH="$folder/usr/lib/systemd/system:$relay/usr/lib/systemd/system:" systemd-analyze verify --man=no \
        "$folder"/usr/lib/systemd/system/picam.target {"$folder","$relay"}/usr/lib/systemd/system/picam-*@.service 2>&1 |
        grep -v -e 'is not executable' -e 'RestartSteps' -e 'RestartMaxDelaySec' | grep picam || true)
    [ -z "$said" ] || fail "$said"
fi

! grep -q '^Depends:.*nats' "$folder/DEBIAN/control" || fail "picam depends on libnats"
version=$(sed -n 's/^Version: //p' "$folder/DEBIAN/control")
grep -qE "^Depends:.*\\bpicam \\(= $version\\)" "$relay/DEBIAN/control" || fail "picam-relay does not depend on picam $version"
grep -qE '^Depends:.*\blibnats' "$relay/DEBIAN/control" || fail "picam-relay does not depend on libnats"
[ ! -e "$relay/etc" ] && [ ! -e "$folder/usr/bin/picam-relay" ] || fail "picam-relay has files in /etc, or picam its program"
[ -z "$(cd "$relay/usr" && find . -type f -exec test -e "$folder/usr/{}" ';' -print)" ] || fail "both packages have a file"
# Nobody else reaches a network.
for unit in "$folder"/usr/lib/systemd/system/picam-*@.service; do
    grep -q '^RestrictAddressFamilies=AF_UNIX AF_NETLINK$' "$unit" || fail "$unit has a network"
done
if systemd-analyze security --help >/dev/null 2>&1; then
    exposure=$(systemd-analyze security --offline=true "$relay/usr/lib/systemd/system/picam-relay@.service" 2>/dev/null | sed -n 's/.*Overall exposure level.*: \([0-9.]*\) .*/\1/p')
    [ -z "$exposure" ] || awk "BEGIN {exit $exposure > 2.0}" || fail "picam-relay@.service is exposed: $exposure"
fi
for package in "$folder" "$relay"; do
    echo "$(sed -n 's/^Package: //p' "$package/DEBIAN/control"): $(find "$package" -path "$package/DEBIAN" -prune -o -type f -print | wc -l) files"
done
