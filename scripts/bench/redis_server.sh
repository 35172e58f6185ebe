#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs a command with a Redis server of its own, whose socket is in $REDIS_SOCKET:  redis_server.sh COMMAND...
command -v redis-server >/dev/null || exit 1
directory=$(mktemp -d) || exit 1
REDIS_SOCKET=$directory/socket
export REDIS_SOCKET
redis-server --port 0 --unixsocket "$REDIS_SOCKET" --save "" --dir "$directory" --logfile log &
server=$!
trap 'kill $server; wait $server; rm -rf "$directory"' EXIT
trap 'exit 1' HUP INT TERM
until redis-cli -s "$REDIS_SOCKET" ping 2>/dev/null | grep -q PONG; do sleep 0.05; done
"$@"
