-- SPDX-License-Identifier: MIT
-- How queue:work serves jobs: some tasks take them, call the user's function, and say what has become of each. One that
-- fails does not end the others.

local ipc, core = ...

-- Calls the function, and says the word that it has not said: true; or nil and why not. What stops the work releases
-- the job.
local function serve(job, fn)
  local _ <close> = job
  local ok, err = pcall(fn, job.message, job)
  if not ok and core.is_stopped_by(err) then core.raise(err) end
  if not core.job_is_open(job) then return true end
  if ok then return job:done() end
  return core.job_fail(job, err)
end

-- What does not end the work: a message that cannot be decoded, which is a dead letter by now, and a job that is not
-- ours any more. Neither has an errno.
local ENDS <const> = {closed = true, removed = true}

-- Until the queue is closed or removed; returns which.
local function run(queue, fn, kind, where)
  while true do
    local ok, why, errno = core.queue_take_next(queue, kind)
    if ok then ok, why, errno = serve(ok, fn) end
    if not ok and errno then core.raise(where .. why) end
    if not ok and ENDS[why] then return why end
  end
end

local function work(queue, fn, at_once, kind)
  local where, ended = core.where(), nil

  -- A function that cancels the task that it runs in ends that one, and not the work.
  local function keep_working()
    while not ended do
      local task <close> = ipc.task(function() ended = run(queue, fn, kind, where) end)
      local ok, err = task:join()
      if not ok and err ~= ipc.cancelled then core.raise(err) end
    end
  end

  ipc.scope(function(scope)
    for _ = 1, at_once do scope:task(keep_working) end
  end)
  return nil, ended
end

return {work = work}
