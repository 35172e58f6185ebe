<?php
// SPDX-License-Identifier: MIT
// queue.lua for PHP's sysvmsg, sent and received by one process: 64 bytes (raw), or the small table as PHP's own
// serialize() text (serialized) or as JSON (json). Prints ns per message.
$what = $argv[1] ?? "raw";
$n = 200000;
$text = str_repeat("x", 64);
$table = ["id" => 17, "name" => "bench", "values" => [1, 2.5, "three"]];

pcntl_async_signals(true);
foreach ([SIGHUP, SIGINT, SIGTERM] as $signal) {
	pcntl_signal($signal, fn() => exit(1));
}
do {
	$key = random_int(1, 0x7fffffff);
} while (msg_queue_exists($key));
$queue = msg_get_queue($key, 0600) or exit(1);
register_shutdown_function(fn() => msg_remove_queue($queue)); // after exit() and after an uncaught error too

$start = hrtime(true);
if ($what === "json") {
	for ($i = 0; $i < $n; $i++) {
		msg_send($queue, 1, json_encode($table), false) or exit(1);
		msg_receive($queue, 0, $type, 8192, $got, false) or exit(1);
		$got = json_decode($got, true);
	}
} else {
	$serialize = $what === "serialized";
	$payload = $serialize ? $table : $text;
	for ($i = 0; $i < $n; $i++) {
		msg_send($queue, 1, $payload, $serialize) or exit(1);
		msg_receive($queue, 0, $type, 8192, $got, $serialize) or exit(1);
	}
}
$ns = (hrtime(true) - $start) / $n;
if ($got !== ($what === "raw" ? $text : $table)) {
	exit(1);
}
echo $ns, "\n";
