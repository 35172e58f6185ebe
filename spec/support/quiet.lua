-- SPDX-License-Identifier: MIT
-- Runs a script of spec/support/peers that prints "waiting", and waits for a second for what never comes. Returns the
-- system calls that it makes meanwhile, of all its threads, once these have had time to start; nil and why where
-- strace(1) may not trace.

local assert = require "luassert"
local shell = require "spec.support.shell"

local host = os.getenv("IPCLUA") or "build/ipclua"
local STARTED <const>, OVER <const> = 0.2, 0.9 -- seconds after it has said that it waits

return function(script)
  local log = os.tmpname()
  local said = shell.output(("timeout 60 strace -f -qq -ttt -o %s %s spec/support/peers/%s 2>&1"):format(log, host,
    script))
  local calls, start, later = {}, nil, 0
  for line in io.lines(log) do
    local time, call = line:match("^%d+%s+([%d.]+) (.*)$")
    time = tonumber(time)
    if call:find('write(1, "waiting', 1, true) then start = time end
    if start and time > start + OVER then
      later = later + 1
    elseif start and time > start + STARTED then
      calls[#calls + 1] = call
    end
  end
  os.remove(log)
  if not start and said:find("ptrace", 1, true) then return nil, "strace may not trace here" end
  assert.equal("waiting\n", said)
  assert.is_true(later > 0) -- it was traced to its end
  return calls
end
