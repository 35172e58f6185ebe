<?php
// SPDX-License-Identifier: MIT
// Locks the file that is its argument, as it is told: lock, share, try, unlock; "waiting" comes before it waits.

$file = fopen($argv[1], "c");
echo getmypid(), "\n";
while (($word = fgets(STDIN)) !== false) {
	$word = trim($word);
	if ($word === "lock" || $word === "share") {
		echo "waiting\n";
		echo flock($file, $word === "lock" ? LOCK_EX : LOCK_SH) ? "held\n" : "failed\n";
	} elseif ($word === "try") {
		echo flock($file, LOCK_EX | LOCK_NB) ? "held\n" : "busy\n";
	} else {
		echo flock($file, LOCK_UN) ? "free\n" : "failed\n";
	}
}
