<?php
// SPDX-License-Identifier: MIT
// shared_data.lua for PHP: shm_put_var and shm_get_var, as they have to be used, inside a semaphore. Prints ns per call.
//   shared_data.php get|set|add raw|table [names]
[$what, $codec, $names] = [$argv[1], $argv[2] ?? "raw", (int)($argv[3] ?? 1)];
$n = 200000;
$value = $codec === "raw" ? str_repeat("x", 64) : ["id" => 17, "name" => "bench", "values" => [1, 2.5, "three"]];
if ($what === "add") {
	$value = 12345;
}
pcntl_async_signals(true);
foreach ([SIGHUP, SIGINT, SIGTERM] as $signal) {
	pcntl_signal($signal, fn() => exit(1));
}
$key = random_int(1, 0x7fffffff);
$sem = sem_get($key, 1, 0600) or exit(1);
$shm = shm_attach($key, 64 << 20, 0600) or exit(1);
register_shutdown_function(function () use ($sem, $shm) {
	shm_remove($shm);
	sem_remove($sem);
});
for ($i = 0; $i < $names; $i++) {
	shm_put_var($shm, $i, $value) or exit(1);
}
if ($names > 1000) {
	$n = 2000; // it searches from the first
}
$start = hrtime(true);
for ($i = 0; $i < $n; $i++) {
	$name = $i * 7919 % $names;
	sem_acquire($sem) or exit(1);
	if ($what === "get") {
		$got = shm_get_var($shm, $name);
	} elseif ($what === "set") {
		shm_put_var($shm, $name, $value) or exit(1);
	} else {
		shm_put_var($shm, $name, shm_get_var($shm, $name) + 1) or exit(1);
	}
	sem_release($sem) or exit(1);
}
echo (hrtime(true) - $start) / $n, "\n";
