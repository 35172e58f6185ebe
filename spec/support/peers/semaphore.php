<?php
// SPDX-License-Identifier: MIT
// Uses the semaphore of its first argument, a key, with as many permits as the second says, as it is told: acquire, try,
// release; "waiting" comes before it waits.

$semaphore = sem_get((int) $argv[1], (int) $argv[2], 0600, true);
echo getmypid(), "\n";
while (($word = fgets(STDIN)) !== false) {
	$word = trim($word);
	if ($word === "acquire") {
		echo "waiting\n";
		echo sem_acquire($semaphore) ? "held\n" : "failed\n";
	} elseif ($word === "try") {
		echo @sem_acquire($semaphore, true) ? "held\n" : "busy\n";
	} else {
		echo sem_release($semaphore) ? "free\n" : "failed\n";
	}
}
