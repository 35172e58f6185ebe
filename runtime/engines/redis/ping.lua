-- KEYS: meta
return {0, ARGV[1]}
