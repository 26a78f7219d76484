# bash completion for picamctl
_picamctl() {
    local word=${COMP_WORDS[COMP_CWORD]} words=
    case ${COMP_WORDS[1]}-${COMP_WORDS[2]} in
    relay-publish | relay-join)
        if [ "$COMP_CWORD" -gt 2 ]; then
            case ${COMP_WORDS[COMP_CWORD - 1]} in
            --ca) mapfile -t COMPREPLY < <(compgen -f -- "$word") && return ;;
            --server | --camera) return ;;
            esac
            words="$(picamctl camera list 2>/dev/null) --server --ca --camera --new-key"
        fi
        ;;
    esac
    case $COMP_CWORD in
    1) words="passwd user open close http tls hsts name camera mount proxy ports relay get set enable check status" ;;
    2)
        case ${COMP_WORDS[1]} in
        user) words="add del operator viewer list" ;;
        name | proxy) words="add del list" ;;
        open) words=--controls ;;
        get | set) words="$(picamctl get 2>/dev/null | cut -d' ' -f1) --camera" ;;
        camera) words="add del title list" ;;
        mount) words="del list" ;;
        http) words="serve redirect" ;;
        tls) words="self-signed files acme renew" ;;
        hsts) words="on off" ;;
        relay) words="publish join entry leave" ;;
        passwd) words=$(picamctl user list 2>/dev/null | cut -f1) ;;
        esac
        ;;
    3)
        case ${COMP_WORDS[1]}-${COMP_WORDS[2]} in
        user-del | user-operator | user-viewer) words=$(picamctl user list 2>/dev/null | cut -f1) ;;
        get---camera | set---camera) words=$(picamctl camera list 2>/dev/null) ;;
        name-del) words=$(picamctl name list 2>/dev/null) ;;
        camera-title) words=$(picamctl camera list 2>/dev/null) ;;
        camera-del) words=$(picamctl camera list 2>/dev/null | sed 1d) ;;
        proxy-del) words=$(picamctl proxy list 2>/dev/null) ;;
        mount-del) words=$(picamctl mount list 2>/dev/null | cut -d' ' -f1) ;;
        mount-*) words="$(picamctl camera list 2>/dev/null) --no-password" ;;
        relay-entry | relay-leave) words=$(picamctl camera list 2>/dev/null) ;;
        tls-files) mapfile -t COMPREPLY < <(compgen -f -- "$word") && return ;;
        esac
        ;;
    4)
        case ${COMP_WORDS[1]}-${COMP_WORDS[2]} in
        user-add) words=--operator ;;
        get---camera | set---camera) words=$(picamctl get --camera "${COMP_WORDS[3]}" 2>/dev/null | cut -d' ' -f1) ;;
        tls-files) mapfile -t COMPREPLY < <(compgen -f -- "$word") && return ;;
        esac
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _picamctl picamctl
