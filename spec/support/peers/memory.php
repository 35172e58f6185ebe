<?php
// SPDX-License-Identifier: MIT
// A peer of ours on a System V segment, by PHP's shmop. memory.php KEY [SLOTS]: with SLOTS it makes the segment. Then a line
// for each order, and for its answer: get SLOT · set SLOT N · add SLOT N → the sum · size · remove.

$memory = isset($argv[2]) ? shmop_open((int) $argv[1], "n", 0600, $argv[2] * 8) : shmop_open((int) $argv[1], "w", 0, 0);
echo getmypid(), "\n";
while (($line = fgets(STDIN)) !== false) {
	[$order, $slot, $n] = explode(" ", trim($line)) + [1 => 0, 2 => 0];
	$current = unpack("q", shmop_read($memory, $slot * 8, 8))[1];
	if ($order === "set" || $order === "add") {
		$current = $order === "set" ? (int) $n : $current + $n;
		shmop_write($memory, pack("q", $current), $slot * 8);
	} elseif ($order === "size") {
		$current = shmop_size($memory);
	} elseif ($order === "remove") {
		$current = shmop_delete($memory) ? 0 : 1;
	}
	echo $current, "\n";
}
