-- SPDX-License-Identifier: MIT
-- Runs small programs in both homes: the host, and stock Lua with the module that was built beside it. A program is
-- written once; `ipc` is there, and in stock Lua ipc.run() follows it.
--   for _, home in ipairs(homes) do
--     local output, status = home.run "print(ipc.now())"

local shell = require "spec.support.shell"

local host = os.getenv("IPCLUA") or "build/ipclua"
local folder = host:match("^(.*)/") or "."

local homes = {{name = "ipclua", command = host, last = ""}}

-- a stock Lua cannot load a module that wants a sanitizer's runtime
if not os.getenv("IPC_SANITIZE") then
  homes[2] = {
    name = "lua5.4", command = ("env LUA_CPATH='%s/?.so;;' lua5.4"):format(folder), last = "\nrequire 'ipc'.run()",
  }
end

for _, home in ipairs(homes) do
  -- The path of a file with the program; the caller removes it.
  function home.script(code)
    return shell.temporary("local ipc = require 'ipc' " .. code .. home.last)
  end

  -- Runs the program to its end: standard output, how it ended ("exit 0"), standard error. `before` is a command
  -- that runs ours, such as env(1). One that hangs is ended, with "exit 124".
  function home.run(code, before)
    local script, errors = home.script(code), os.tmpname()
    local pipe = assert(io.popen(("exec 2>%s </dev/null; timeout 90 %s %s %s"):format(errors, before or "",
      home.command, script)))
    local output = pipe:read("a")
    local _, how, code_of_end = pipe:close()
    local text = shell.read(errors):gsub(script:gsub("%p", "%%%0"), "script")
    os.remove(script)
    os.remove(errors)
    return output, how .. " " .. code_of_end, text
  end
end

return homes
