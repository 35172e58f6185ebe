<?php
// SPDX-License-Identifier: MIT
// A message to a process that waits for it, and one back, by lists of a Redis server and PHP's client: RPUSH and BLPOP
// of 64 bytes. Prints ns per message.
//   redis_turn.php N
function connect() {
    $r = new Redis();
    $r->connect(getenv("REDIS_SOCKET"));
    return $r;
}
$n = (int)$argv[1];
if (pcntl_fork() == 0) {
    $r = connect();
    for ($i = 0; $i < $n; $i++) $r->rPush("back", $r->blPop("there", 60)[1]);
    exit(0);
}
$r = connect();
$message = str_repeat("x", 64);
for ($i = 0; $i < $n; $i++) {
    if ($i == intdiv($n, 10)) $start = hrtime(true);
    $r->rPush("there", $message);
    $r->blPop("back", 60);
}
echo (hrtime(true) - $start) / ($n - intdiv($n, 10)) / 2, "\n";
