-- SPDX-License-Identifier: MIT
-- A job of a pool that failed was printed with three tracebacks: the job's, with the pool's own functions below it, the
-- one of the pool's task, and the main chunk's. A function that hands on an error that has its traceback adds none: in
-- pools, in scopes, in ipc.timeout, nested as they may be. Another error is printed as ever.

local homes = require "spec.support.homes"

-- what is printed to standard error, and how often a traceback is, by the host and by stock Lua, which prints one for
-- each string that the main chunk raises
local programs = {
  {"a job of map", [[
    local pool = require "ipc.pool".new()
    pool:map({1}, function() local function inner() error("no luck") end inner() end)]],
    "^ipclua: script:2: item 1: script:2: no luck\n", 1, 2},
  {"a job of submit", [[
    local pool = require "ipc.pool".new()
    pool:submit(function() error("no luck") end)]],
    "^ipc: task script:2: script:2: no luck\n", 1, 1},
  {"a worker that died", [[
    local pool = require "ipc.pool".new {attempts = 1}
    pool:submit(function() os.exit(3) end)]],
    "^ipc: task script:2: its worker died %(exit 3%)\n$", 0, 0},
  {"a function of map's, in the program", [[
    local pool = require "ipc.pool".new()
    pool:map({1}, print, function() error("no luck") end)]],
    "^ipclua: script:2: no luck\n", 1, 2},
  {"a scope in a scope", [[
    ipc.scope(function(outer)
      outer:task(function()
        ipc.scope(function(inner) inner:task(function() error("no luck") end) end)
      end)
    end)]],
    "^ipclua: script:3: no luck\n", 1, 2},
  {"a timeout in a task", [[
    ipc.task(function() ipc.timeout(5, function() error("no luck") end) end)]],
    "^ipc: task script:1: no luck\n", 1, 1},
  {"a scope in a job", [[
    local pool = require "ipc.pool".new()
    pool:map({1}, function()
      ipc.scope(function(scope) scope:task(function() error("no luck") end) end)
    end)]],
    "^ipclua: script:2: item 1: script:3: no luck\n", 1, 2},
  {"a scope in a listener", [[
    ipc.signal("USR1"):handle(function() ipc.scope(function() error("no luck") end) end)
    ipc.signal("USR1"):dispatch(ipc.pid())
    ipc.yield()]],
    "^ipc: listener of SIGUSR1: script:1: no luck\n", 1, 1},
  {"a scope in a child", [[
    ipc.process(function()
      ipc.scope(function(scope) scope:task(function() error("no luck") end) end)
    end):wait()]],
    "^ipc: process script:2: no luck\n", 1, 1},
  {"an error that is raised again", [[
    local ok, err = pcall(ipc.scope, function() error("no luck") end)
    error("again: " .. err, 0)]],
    "^ipclua: again: script:1: no luck\n", 2, 2},
  {"an error like one before", [[
    ipc.task(function() ipc.scope(function() error("no luck", 0) end) end)
    ipc.yield() ipc.yield() ipc.yield() ipc.yield()
    error("no luck", 0)]],
    "ipclua: no luck\n", 2, 2},
}

for i, home in ipairs(homes) do
  describe("in " .. home.name .. " is printed once the traceback of", function()
    for _, program in ipairs(programs) do
      it(program[1], function()
        local _, _, text = home.run(program[2])
        text = text:gsub("[^\n]*ipclua: ", "ipclua: "):gsub("lua5%.4: ", "ipclua: ")
        assert.matches(program[3], text)
        assert.equal(program[3 + i], select(2, text:gsub("\nstack traceback:\n", "")), text)
        if i == 1 then assert.is_nil(text:match("ipc%.pool:[^\n]*upvalue 'answer'")) end
      end)
    end
  end)
end
