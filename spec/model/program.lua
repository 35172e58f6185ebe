-- SPDX-License-Identifier: MIT
-- Makes the program of a seed: a list of tasks, each a list of operations. An operation is {kind, numbers that choose
-- its objects when it runs, t = its timeout, body = operations inside it, bodies = lists of them}. It is all chosen
-- beforehand, so a seed is the same program wherever it runs.

local random = math.random

local program = {}

-- how often each kind comes; those of the second list have operations inside
local SIMPLE <const> = {
  acquire = 12, release = 10, try = 3, send = 12, receive = 12, peek = 1, put = 5, take = 5, tick = 2, sleep = 4,
  yield = 5, cancel = 4, join = 4, look = 4, fail = 2, reopen = 1, remove = 0.5, stop = 1, collect = 0.1,
}
local NESTED <const> = {
  guard = 14, borrow = 8, select = 12, scope = 4, timeout = 5, task = 3, catch = 3, after = 2, shield = 3, defer = 2,
  coroutine = 0, close = 1,
}
-- what may be a case of a select, and what always ends by itself if it has a timeout
local CASES <const> = {acquire = 4, hold = 2, send = 4, receive = 5, put = 2, take = 3, tick = 1, join = 1}
local BOUNDED <const> = {acquire = 3, release = 3, send = 3, receive = 3, put = 1, take = 1, sleep = 2, yield = 2, look = 1}

local function wheel(...)
  local names, sum = {}, 0
  for _, weights in ipairs{...} do
    for name in pairs(weights) do names[#names + 1] = name end
  end
  table.sort(names) -- pairs has another order each time
  local bounds = {}
  for i, name in ipairs(names) do
    for _, weights in ipairs{...} do sum = sum + (weights[name] or 0) end
    bounds[i] = sum
  end
  return function()
    local at = random() * sum
    for i, bound in ipairs(bounds) do
      if at < bound then return names[i] end
    end
  end
end

local any, simple, case, bounded = wheel(SIMPLE, NESTED), wheel(SIMPLE), wheel(CASES), wheel(BOUNDED)

-- A nanosecond is over when the loop looks next, however fast the machine is. The others are up to chance: both
-- outcomes are right.
local function timeout()
  local dice = random()
  if dice < 0.45 then return nil end
  if dice < 0.60 then return 0 end
  if dice < 0.85 then return 1e-9 end
  return dice < 0.97 and random() * 5e-5 or 2e-4
end

local function number() return random(0, 1 << 20) end

local operation

local function list(count, depth, within)
  local ops = {}
  for i = 1, random(count) do ops[i] = operation(depth, within) end
  return ops
end

local function lists(count, length, depth)
  local bodies = {}
  for i = 1, random(count) do bodies[i] = list(length, depth) end
  return bodies
end

local function ending(kind)
  return {kind, number(), number(), number(), t = timeout() or 1e-9}
end

local function endings()
  local ops = {}
  for i = 1, random(3) do ops[i] = ending(bounded()) end
  return ops
end

local make = {}

function make.guard(op, depth) op.body = list(4, depth, op) end
function make.borrow(op, depth, within)
  op.body = list(2, depth, within)
end

function make.select(op)
  op.cases = {}
  for i = 1, random(4) do op.cases[i] = {case(), number(), number(), number()} end
end

function make.scope(op, depth) op.bodies = lists(3, 4, depth) end
function make.timeout(op, depth)
  op.t = random() < 0.5 and 1e-9 * random(3) or random() * 1e-4
  op.body = list(4, depth)
end
function make.task(op, depth) op.body = list(5, depth) end
function make.close(op, depth) op.body, op.inner = list(3, depth), list(2, depth) end
function make.catch(op, depth) op.body = list(4, depth) end
function make.coroutine(op, depth) op.body = list(3, depth) end
function make.after(op, depth)
  op.t = random() < 0.5 and 0 or random() * 5e-5
  op.body = list(3, depth)
end
function make.shield(op) op.body = endings() end
function make.defer(op, depth) op.body, op.last = list(3, depth), endings() end

local LOCKS <const> = {acquire = true, release = true, try = true, guard = true, borrow = true}

-- The locks of an outer guard are asked for inside it now and then.
local function steer(op, within)
  if within and random() < 0.7 then op[2], op[3] = within[2], within[3] end
end

function operation(depth, within)
  local op = {depth > 0 and any() or simple(), number(), number(), number(), t = timeout()}
  if LOCKS[op[1]] then steer(op, within) end
  if make[op[1]] then make[op[1]](op, depth - 1, within) end
  return op
end

-- tasks: what each does; main: what the main chunk does meanwhile, all of it ends by itself; turn: how the main chunk
-- waits for them; choices: whom to cancel when nothing moves
function program.make(seed)
  math.randomseed(seed)
  local p = {seed = seed, tasks = lists(6, 10, 3), main = {}, choices = {}}
  for i = 1, random(0, 4) do p.main[i] = ending(bounded()) end
  for i = 1, 16 do p.choices[i] = number() end
  p.turn = ({"yield", "sleep", "step"})[random(3)]
  p.permits = {random(2, 4), random(2, 4)}
  return p
end

return program
