-- SPDX-License-Identifier: MIT
-- A mistake in a call of ipc.scope, ipc.timeout, a pool or a supervisor was told about the user's line, but its
-- traceback began with four lines of the scripts behind them. They are to look like what they stand for: functions of
-- the library, as those in C do.

local home = require "spec.support.homes"[1] -- stock Lua makes the tracebacks of its main chunk by itself

local MAIN <const> = "\n\tscript:1: in main chunk\n\t[C]: in ?\n"

-- a program, and the lines of its traceback
local programs = {
  {"a wrong argument", [[ipc.timeout("x", print)]], "\n\t[C]: in function 'ipc.timeout'" .. MAIN},
  {"a wrong option", [[require "ipc.pool".new {what = 1}]], "\n\t[C]: in function 'ipc.pool.new'" .. MAIN},
  {"a wrong table", [[require "ipc.supervisor".new {}]], "\n\t[C]: in function 'ipc.supervisor.new'" .. MAIN},
  {"an error of a function that a script calls",
    [[ipc.shared_data(ipc.private):update("x", function() error("no") end)]],
    "\n\t[C]: in function 'error'\n\tscript:1: in local 'fn'\n\t[C]: in ?\n\t[C]: in method 'update'" .. MAIN},
  {"an error in a task", [[ipc.task(function() local _ = ipc.scope(5) end)]],
    "\n\t[C]: in function 'ipc.scope'\n\tscript:1: in function <script:1>\n\t[C]: in ?\n"},
  {"an error whose text looks like a traceback",
    [[error("stack traceback:\n\tipc.scope:1: in ?\n\tipc.pool:1: in ?", 0)]],
    "\n\tipc.scope:1: in ?\n\tipc.pool:1: in ?\nstack traceback:\n\t[C]: in function 'error'" .. MAIN},
}

describe("the traceback that ipclua prints of", function()
  for _, program in ipairs(programs) do
    it(program[1] .. " has no lines of scripts of the library", function()
      local _, _, text = home.run(program[2])
      assert.equal(program[3], text:match("stack traceback:(.*)"), text)
    end)
  end
end)
