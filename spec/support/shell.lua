-- SPDX-License-Identifier: MIT
-- What specs ask of the system without ipc: what a command prints, what is in a file, which process this is.

local shell = {}

-- What a command prints, and how it ended: "exit 0".
function shell.output(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("a")
  local _, how, code = pipe:close()
  return text, ("%s %s"):format(how, code)
end

function shell.read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

-- Returns the path.
function shell.write(path, text)
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
  return path
end

-- The path of a new file with this text; the caller removes it.
function shell.temporary(text)
  return shell.write(os.tmpname(), text)
end

-- The number of this process, in a forked child too.
function shell.pid()
  return math.tointeger(shell.read("/proc/self/stat"):match("^%d+"))
end

return shell
