# deploy/run --reach: an engine on this machine, the camera published to it, and an edge that joins it, at the next port. Read
# by deploy/run; all of it as for a real deployment, but that the three are one machine's.
# shellcheck shell=bash disable=SC2154,SC2034

engine=$folder/engine
relay=$build/relay/picam-relay
mkdir -m 711 "$engine" "$folder/feed"
cp "$here/engine/nats-server.conf" "$engine/"
"$here/engine/make-certificates" "$engine/ca" localhost,127.0.0.1 >/dev/null
cp "$engine/ca/localhost.pem" "$engine/node.pem"
cp "$engine/ca/localhost.key" "$engine/node.key"
cp "$engine/ca/ca.pem" "$engine/"

# One key for the camera, another for the edge.
die() {
    echo "$*" >&2
    exit 1
}
etc=$folder/etc
. "$here/ctl/relay.sh"
for role in publish join; do
    (umask 077 && new_seed >"$engine/$role.seed")
done
publish_key=$(public_of "$engine/publish.seed")
join_key=$(public_of "$engine/join.seed")
p=picam.v1.$instance
cat >"$engine/users.conf" <<TEXT
users: [
  { nkey: $publish_key, permissions: { publish: [$p.frame, $p.mark, $p.state, $p.part]
    subscribe: [$p.mark, $p.want, $p.still], allow_responses: true } }
  { nkey: $join_key, permissions: { publish: [$p.want, $p.still, "_picam.$join_key.>"]
    subscribe: [$p.frame, $p.state, $p.part, "_picam.$join_key.>"] } }
]
TEXT
sed -i -e 's#^listen: .*#listen: "127.0.0.1:-1"#' -e "s#/etc/picam-engine/#$engine/#g" "$engine/nats-server.conf"
echo "ports_file_dir: \"$engine\"" >>"$engine/nats-server.conf"
if [ "$(id -u)" -eq 0 ]; then
    chown -R "$user:" "$engine" "$folder/feed"
    if ! "${as_user[@]}" test -x "$relay"; then
        cp "$relay" "$folder/"
        relay=$folder/picam-relay
    fi
fi

start "${as_user[@]}" setpriv --pdeathsig TERM nats-server -c "$engine/nats-server.conf" -l "$engine/log"
engine_port() { sed -n 's#.*"tls://127.0.0.1:\([0-9]*\)".*#\1#p' "$engine"/*.ports 2>/dev/null | head -n 1; }
deadline=$((SECONDS + 20))
until [ -n "$(engine_port)" ]; do
    if ! all_alive || [ $SECONDS -ge $deadline ]; then
        cat "$engine/log" >&2
        echo "the engine did not start; the reason stands above." >&2
        exit 1
    fi
    sleep 0.1
done
# The engine's port is any free one; the server's name has to be the certificate's.
relay() { # ROLE KEY FLAG…
    start "${as_user[@]}" setpriv --pdeathsig TERM "$relay" --instance "$instance" --runtime-dir "$folder/run" --relay.role "$1" \
        --relay.servers "tls://localhost:$(engine_port)" --relay.ca "$engine/ca.pem" --relay.nkey "$2" --relay.seed "$engine/$1.seed" "${@:3}"
}
relay publish "$publish_key"
relay join "$join_key" --camera.feed "$folder/feed/$instance.sock"

# The edge is picam as it is, with a feed for a camera.
BUILD_DIR=$build start "$here/run" --port $((port + 1)) --listen "$listen" ${password:+--password} --instance "$instance" \
    --camera.source feed --camera.feed "$folder/feed/$instance.sock" > >(sed -un 's/^user picam/edge: &/p')
edge_answers() {
    case $(curl -gs --noproxy '*' -o /dev/null -m 2 -w '%{http_code}' "http://${hosts[0]}:$((port + 1))/") in 200 | 401) ;; *) return 1 ;; esac
}
deadline=$((SECONDS + 30))
until edge_answers; do
    if ! all_alive || [ $SECONDS -ge $deadline ]; then
        echo "the edge did not start; the reason stands above." >&2
        exit 1
    fi
    sleep 0.1
done
echo "The edge shows what the camera's site does, by way of the engine alone: picam is at $(printf "http://%s:$((port + 1))/ " "${hosts[@]}")"
