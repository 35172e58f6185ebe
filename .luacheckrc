-- Settings of luacheck: Lua 5.4, no globals of our own, lines as wide as in C.
std = "lua54"
max_line_length = 120
exclude_files = {"build"}
self = false

-- specs: busted's words, and the fields luassert adds to assert
files["spec"] = {std = "lua54+busted"}
files[".luacheckrc"] = {std = "+luacheckrc"}
files["ipclua-scm-1.rockspec"] = {std = "+rockspec"}

-- stubs: declared for the reader's editor, never run
files["types"] = {ignore = {"111", "112", "113", "121", "122", "131", "142", "143", "211", "212", "241"}}

-- run by a Redis server, which has Lua 5.1
files["runtime/engines/redis/scripts"] = {std = "lua51", read_globals = {"redis", "KEYS", "ARGV", "struct", "cjson", "bit"}}
-- put together from parts: scripts/tools/embed_scripts.lua
files["runtime/engines/redis/scripts/*.lua"] = {ignore = {"111", "112", "113", "211", "231"}}
