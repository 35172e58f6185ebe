-- SPDX-License-Identifier: MIT
-- Other programs as children: their input and output are channels of lines. See doc/process.md.

local ipc = require "ipc"

if arg[1] then -- it takes none
  (arg[1] == "--help" and io.stdout or io.stderr):write "usage: ipclua program.lua\n"
  os.exit(arg[1] == "--help" and 0 or 2)
end

-- What is sent goes in as a line, what is printed comes out as one.
do
  local sort <close> = assert(ipc.process{"sort", "-u", stdin = "pipe", stdout = "pipe"})
  for _, word in ipairs{"pear", "fig", "pear", "apple"} do sort.stdin:send(word) end
  sort.stdin:close()
  for line in sort.stdout:messages() do print(line) end
  print(sort:wait())
end

-- A program that answers while it is asked; here JSON in lines would do as well: codec = "json".
do
  local script = [[while read -r a b; do echo "$((a * b))"; done]]
  local shell <close> = assert(ipc.process{"sh", "-c", script, stdin = "pipe", stdout = "pipe"})
  for n = 2, 4 do
    shell.stdin:send(n .. " " .. n)
    print(n, shell.stdout:receive())
  end
end

-- More than a pipe holds goes in and out at once: one task has to send while another receives.
do
  local tr <close> = assert(ipc.process{"tr", "a-z", "A-Z", stdin = "pipe", stdout = "pipe"})
  ipc.task(function()
    for i = 1, 20000 do tr.stdin:send("line " .. i) end
    tr.stdin:close()
  end)
  local count, last = 0, nil
  for line in tr.stdout:messages() do count, last = count + 1, line end
  print(count, last)
end

-- A pipeline. What the second has been given we close, so that only it reads there.
do
  local list <close> = assert(ipc.process{"printf", "3\\n1\\n2\\n", stdout = "pipe"})
  local head <close> = assert(ipc.process{"sort", stdin = list.stdout, stdout = "pipe"})
  list.stdout:close()
  print(head.stdout:receive(), head.stdout:receive(), head.stdout:receive())
end

-- Its environment and its directory; what it says to standard error, with the rest.
do
  local script = "echo $COLOUR in $PWD; no-such-command 2>/dev/null || echo oh >&2"
  local shell <close> = assert(ipc.process{"sh", "-c", script,
    env = {COLOUR = "green", PATH = os.getenv("PATH")}, cwd = "/", stdout = "pipe", stderr = "stdout"})
  for line in shell.stdout:messages() do print(line) end
end

print(ipc.process{"no-such-program"})

-- The first to end wins; the other is ended with its scope.
do
  local slow <close> = assert(ipc.process{"sleep", 100})
  local quick <close> = assert(ipc.process{"sh", "-c", "exit 3"})
  print(ipc.select{slow = slow, quick = quick})
end
