-- SPDX-License-Identifier: MIT
-- Makes the program of a seed: a list of tasks, each a list of operations. An operation is {kind, three numbers that
-- choose its objects when it runs, t = its timeout, number = which one of the program it is}, and has others inside:
-- body, last, inner are lists of operations, bodies a list of lists, cases those of a select. All of it is chosen
-- beforehand, so a seed is the same program wherever it runs.

local random = math.random

local program = {}

-- How often each kind comes. Those of NESTED have operations inside; those of BOUNDED end by themselves, given a
-- timeout: they are for shields and for the main chunk, which is never cancelled. Those of BURST come several at a
-- time, without a turn for others, so that many things have happened when the loop looks.
local SIMPLE <const> = {
  acquire = 12, release = 10, try = 3, send = 12, receive = 12, peek = 1, put = 5, take = 5, tick = 2, sleep = 4,
  yield = 5, cancel = 4, join = 4, look = 4, fail = 2, reopen = 1, remove = 0.5, stop = 1, collect = 0.1,
}
local NESTED <const> = {
  guard = 14, borrow = 8, select = 12, scope = 4, timeout = 5, task = 3, close = 1, catch = 3, coroutine = 3, after = 2,
  every = 1, shield = 3, defer = 2, burst = 4,
}
local BURST <const> = {
  release = 4, send = 3, put = 3, take = 1, receive = 1, cancel = 2, reopen = 2, stop = 1, yield = 0.2,
}
local CASES <const> = {acquire = 6, hold = 3, send = 4, receive = 5, put = 2, take = 3, tick = 1, join = 1}
local BOUNDED <const> = {
  acquire = 3, release = 3, try = 1, send = 3, receive = 3, put = 1, take = 1, sleep = 2, yield = 2, look = 1,
  select = 2, guard = 1, scope = 0.5, timeout = 0.5,
}
local OF_LOCKS <const> = {acquire = true, release = true, try = true, guard = true, borrow = true}

-- A function that draws one of the names, each as often as it weighs.
local function wheel(weights, more)
  local names, bounds, sum = {}, {}, 0
  for _, list in ipairs{weights, more} do
    for name in pairs(list) do names[#names + 1] = name end
  end
  table.sort(names) -- pairs has another order each time
  for i, name in ipairs(names) do
    sum = sum + (weights[name] or more[name])
    bounds[i] = sum
  end
  return function()
    local at = random() * sum
    for i, bound in ipairs(bounds) do
      if at < bound then return names[i] end
    end
  end
end

local any, simple, case = wheel(SIMPLE, NESTED), wheel(SIMPLE), wheel(CASES)
local bounded, at_once = wheel(BOUNDED), wheel(BURST)

-- A nanosecond is over when the loop looks next, however fast the machine is. The longer ones are up to chance: both
-- outcomes are right.
local function timeout()
  local dice = random()
  if dice < 0.45 then return nil end
  if dice < 0.60 then return 0 end
  if dice < 0.85 then return 1e-9 end
  return dice < 0.97 and random() * 5e-5 or 2e-4
end

local function number() return random(0, 1 << 20) end

-- What makes the operations inside another: `depth` more levels of any kind, or only such as end by themselves.
local Maker = {}
Maker.__index = Maker

function Maker:list(most, within)
  local ops = {}
  for i = 1, random(most) do ops[i] = self:operation(within) end
  return ops
end

function Maker:lists(most, length)
  local bodies = {}
  for i = 1, random(most) do bodies[i] = self:list(length) end
  return bodies
end

local fill = {}

-- Under a guard other functions are called, which know nothing of it.
function fill.guard(op, maker)
  op.body = maker:list(4, op)
  if random() < 0.7 then table.insert(op.body, 1, maker:operation(op, "borrow")) end
end

function fill.borrow(op, maker, within) op.body = maker:list(2, within) end
function fill.scope(op, maker) op.bodies = maker:lists(3, 4) end
function fill.task(op, maker) op.body = maker:list(5) end
function fill.close(op, maker) op.body, op.inner = maker:list(3), maker:list(2) end
function fill.catch(op, maker) op.body = maker:list(4) end
function fill.coroutine(op, maker) op.body = maker:list(3) end

function fill.timeout(op, maker)
  op.t = random() < 0.5 and 1e-9 * random(3) or random() * 1e-4
  op.body = maker:list(4)
end

function fill.after(op, maker)
  op.t = random() < 0.5 and 0 or random() * 5e-5
  op.body = maker:list(3)
end

function fill.every(op, maker)
  op.t = 1e-5 + random() * 5e-5
  op.bodies = maker:lists(2, 3)
end

function fill.select(op)
  op.cases = {}
  for i = 1, random(4) do op.cases[i] = {case(), number(), number(), number()} end
end

function fill.burst(op)
  op.body = {}
  for i = 1, random(2, 6) do op.body[i] = {at_once(), number(), number(), number(), t = 0} end
end

local ending = setmetatable({bounded = true, depth = 1}, Maker)

function fill.shield(op) op.body = ending:list(3) end
function fill.defer(op, maker) op.body, op.last = maker:list(3), ending:list(3) end

-- What a guard of a lock has inside is often of the same lock.
function Maker:operation(within, kind)
  kind = kind or self.depth == 0 and "yield" or self.bounded and bounded() or self.depth > 1 and any() or simple()
  local op = {kind, number(), number(), number(), t = timeout()}
  if self.bounded then op.t = op.t or 1e-9 end
  if within and OF_LOCKS[kind] and random() < 0.8 then op[2], op[3] = within[2], within[3] end
  if fill[kind] then fill[kind](op, setmetatable({bounded = self.bounded, depth = self.depth - 1}, Maker), within) end
  return op
end

-- Numbers the operations, and takes out those whose numbers are in the set.
local function number_list(ops, without, count)
  local kept = {}
  for _, op in ipairs(ops) do
    count = count + 1
    op.number = count
    if not without[count] then kept[#kept + 1] = op end
    for _, name in ipairs{"body", "inner", "last"} do
      if op[name] then op[name], count = number_list(op[name], without, count) end
    end
    for i, body in ipairs(op.bodies or {}) do op.bodies[i], count = number_list(body, without, count) end
  end
  return kept, count
end

-- tasks: what each does; main: what the main chunk does meanwhile; turn: how the main chunk waits for the others;
-- choices: which task to cancel when nothing moves; permits: of the semaphores; count: how many operations there are.
-- `without`: a set of their numbers, which are left out.
function program.make(seed, without)
  math.randomseed(seed)
  local p = {seed = seed, choices = {}, permits = {random(2, 4), random(2, 4)}, count = 0}
  p.turn = ({"yield", "sleep", "step"})[random(3)]
  for i = 1, 16 do p.choices[i] = number() end
  p.tasks = setmetatable({depth = 4}, Maker):lists(6, 10)
  p.main = setmetatable({bounded = true, depth = 2}, Maker):list(4)
  for _, ops in ipairs{p.main, table.unpack(p.tasks)} do
    local kept
    kept, p.count = number_list(ops, without or {}, p.count)
    table.move(kept, 1, #ops, 1, ops)
  end
  return p
end

return program
