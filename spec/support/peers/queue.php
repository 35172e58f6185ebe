<?php
// SPDX-License-Identifier: MIT
// A peer of ours on a System V queue, by PHP's sysvmsg. queue.php PATH PROJECT; says its process id, then obeys a line for
// each order, and a line is its answer:  send TYPE JSON · serialize TYPE JSON · receive TYPE → TYPE JSON · remove
$queue = msg_get_queue(ftok($argv[1], chr((int)$argv[2])), 0600);
echo getmypid() . "\n";
while (($line = fgets(STDIN)) !== false) {
	[$order, $type, $text] = explode(" ", rtrim($line, "\n"), 3) + ["", "", ""];
	if ($order === "receive") {
		$ok = msg_receive($queue, (int)$type, $got, 8192, $message, false, 0, $error);
		$answer = $ok ? "$got " . json_encode(json_decode($message, false, 512, JSON_THROW_ON_ERROR),
			JSON_PRESERVE_ZERO_FRACTION | JSON_UNESCAPED_SLASHES) : "error $error";
	} elseif ($order === "remove") {
		$answer = msg_remove_queue($queue) ? "ok" : "error";
	} elseif ($order === "serialize") {
		$answer = msg_send($queue, (int)$type, json_decode($text, true), true) ? "ok" : "error";
	} else {
		$answer = msg_send($queue, (int)$type, json_encode(json_decode($text)), false) ? "ok" : "error";
	}
	echo "$answer\n";
}
