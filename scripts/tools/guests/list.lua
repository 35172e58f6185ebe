-- SPDX-License-Identifier: MIT
-- Foreign programs that scripts/tools/guests.lua runs. Fields:
--   name
--   source   Debian's source package, which has the suite; none: what is here or installed will do
--   needs    modules that must be there
--   folder   of the source, where it runs
--   run      the command; `lua` is lua5.4, or ipclua under that name; TOOLS is this folder
--   keep     a pattern: the lines of the output that must be the same; by default those of TAP

local function busted(name, source, options)
  return {name = name, source = source, run = ("lua /usr/bin/busted -o TAP --no-coverage %s"):format(options or "")}
end

-- File by file, each with its exit status.
local EACH <const> = "for f in %s; do timeout 60 lua $f; echo $f ended with $?; done"
local ENDS <const> = " ended with %d+$"
local ALL <const> = "."

return {
  -- a C module that makes states in threads, with and without the host's allocator, with and without ipc.so
  {name = "threads", needs = {"states"}, run = "lua TOOLS/threads.lua", keep = ALL},
  -- the coverage of tasks and callbacks
  {name = "luacov", needs = {"luacov"}, keep = "%.lua +%d", run = "rm -f luacov.*; "
    .. "lua -e 'require(\"ipc\").coroutine.install()' -lluacov TOOLS/covered.lua && "
    .. "lua -e 'require(\"luacov.runner\").run_report()' && cat luacov.report.out"},

  -- programs
  {name = "luacheck", run = "lua /usr/bin/luacheck --no-color TOOLS/../..", keep = ALL},
  {name = "luarocks", source = "lua-argparse", keep = "is now installed", run = "rm -rf tree && lua /usr/bin/luarocks "
    .. "--lua-version 5.4 make --deps-mode none --tree tree argparse-scm-*.rockspec LUA_INCDIR=/usr/include/lua5.4"},

  -- suites
  busted("argparse", "lua-argparse"),
  busted("binaryheap", "lua-binaryheap"),
  busted("busted", "lua-busted"),
  busted("fifo", "lua-fifo"),
  busted("http", "lua-http"),
  busted("inspect", "lua-inspect"),
  busted("luacheck-suite", "luacheck"),
  busted("luassert", "lua-luassert"),
  busted("mediator", "lua-mediator"),
  busted("penlight", "lua-penlight"),
  busted("say", "lua-say"),
  {name = "cjson", source = "lua-cjson", folder = "tests", run = "perl genutf8.pl && lua test.lua", keep = "^==>"},
  {name = "compat53", source = "lua-compat53", folder = "tests", run = "lua test.lua", keep = ALL},
  {name = "copas", source = "lua-copas", needs = {"copas", "socket"}, keep = ENDS,
    run = EACH:format("tests/[lp]o[co]k.lua tests/pause.lua tests/queue.lua tests/semaphore.lua tests/timer.lua")},
  {name = "coxpcall", source = "lua-coxpcall", run = "lua tests/test.lua", keep = ALL},
  {name = "cqueues", source = "lua-cqueues", needs = {"cqueues"}, folder = "regress", run = EACH:format("*.lua"),
    keep = ENDS},
  {name = "filesystem", source = "lua-filesystem", needs = {"lfs"}, run = "lua tests/test.lua", keep = ALL},
  {name = "lpeg", source = "lua-lpeg", needs = {"lpeg"}, run = "lua test.lua", keep = ALL},
  {name = "luaossl", source = "lua-luaossl", needs = {"openssl"}, folder = "regress", run = EACH:format("*.lua"),
    keep = ENDS},
  {name = "luaunit", source = "lua-unit", run = "lua run_unit_tests.lua -o TAP"},
  {name = "luv", source = "lua-luv", needs = {"luv"}, run = "lua tests/run.lua"},
}
