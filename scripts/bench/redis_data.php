<?php
// SPDX-License-Identifier: MIT
// redis_data.lua for PHP's redis extension: HGET, HSET, HINCRBY. Prints ns per call.  redis_data.php get|set|add
$redis = new Redis();
$redis->connect(getenv("REDIS_SOCKET"));
$n = 10000;
$value = str_repeat("x", 64);
$redis->hSet("bench", "name", $value);
$start = hrtime(true);
for ($i = 0; $i < $n; $i++) {
	if ($argv[1] === "get") {
		$redis->hGet("bench", "name");
	} elseif ($argv[1] === "set") {
		$redis->hSet("bench", "name", $value);
	} else {
		$redis->hIncrBy("bench", "n", 1);
	}
}
echo (hrtime(true) - $start) / $n, "\n";
