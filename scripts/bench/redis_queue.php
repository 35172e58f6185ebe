<?php
// SPDX-License-Identifier: MIT
// A list on a Redis server by PHP's client: RPUSH and LPOP of 64 bytes, no types, no limit. Prints ns per message.
//   redis_queue.php N
$n = (int)$argv[1];
$r = new Redis();
$r->connect(getenv("REDIS_SOCKET"));
$message = str_repeat("x", 64);
$start = hrtime(true);
for ($i = 0; $i < $n; $i++) {
    $r->rPush("bench", $message);
    $r->lPop("bench");
}
echo (hrtime(true) - $start) / $n, "\n";
