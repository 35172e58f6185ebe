---@meta ipc
-- SPDX-License-Identifier: MIT
-- What an editor needs to know of the module `ipc`: LuaCATS stubs of all that is public, never run.
-- "Waits" marks the calls that may suspend a task; a timeout is in seconds, nil waits for ever and 0
-- tries once. The pages in doc/ say more; `make lint` compares the three.

---@class ipc
---@field _VERSION string "ipc x.y.z"
---@field SIGNALS_ASYNC true listeners run even while Lua code is busy
---@field null lightuserdata JSON's null
---@field empty_array table an empty table that is an array in JSON; it cannot be changed
---@field cancelled ipc.Cancelled the error value of a cancellation; its text is "cancelled"
---@field private ipc.Key memory without a name: for this process and the children it forks
local ipc = {}

-- Tasks and time (doc/task.md) --------------------------------------------------------------------

---@alias ipc.Status "ready"|"running"|"waiting"|"done"|"failed"|"cancelled"

---@class ipc.Cancelled: userdata

---A function that runs beside the others.
---@class ipc.Task
local Task = {}

---Seconds of the monotonic clock. Does not wait.
---@return number
function ipc.now() end

---The number of this process. Does not wait.
---@return integer
function ipc.pid() end

---Waits. Cancellation raises ipc.cancelled, here and in all that waits.
---@param seconds number 0 or more
function ipc.sleep(seconds) end

---Waits one turn: the other tasks that are ready run first.
function ipc.yield() end

---Makes a task, which starts soon, in order of creation. Does not wait.
---@param fn function|ipc.TaskOptions
---@param ... any arguments for fn
---@return ipc.Task
function ipc.task(fn, ...) end

---A task with a name: ipc.task{name = "feeder", fn, ...}.
---@class ipc.TaskOptions
---@field name string?
---@field [1] function
---@field [integer] any arguments for it

---Waits until the task has ended; for ever by default.
---@param timeout? number
---@return boolean|nil ok true; false and the error or ipc.cancelled; nil and "timeout"
---@return any ... the results of the task's function
function Task:join(timeout) end

---Asks the task to end: its wait raises ipc.cancelled. Does not wait.
function Task:cancel() end

---Does not wait.
---@return ipc.Status
function Task:status() end

---Does not keep the program alive any more. Does not wait.
---@return ipc.Task
function Task:detach() end

---Cancels the task and waits for its end; also what `<close>` does.
function Task:close() end

---Calls fn and returns its results; waits when fn does. A cancellation of this task waits until fn has ended.
---@generic T
---@param fn fun(...: any): T...
---@param ... any arguments for fn
---@return T ...
function ipc.shield(fn, ...) end

---@class ipc.Scope
local Scope = {}

---Waits until fn and every task of the scope have ended. The first error cancels the others and is raised.
---@generic T
---@param fn fun(scope: ipc.Scope): T...
---@return T ... or nil and ipc.cancelled
function ipc.scope(fn) end

---Makes a task of the scope. Raises when the scope has ended. Does not wait.
---@param fn function|ipc.TaskOptions
---@param ... any arguments for fn
---@return ipc.Task
function Scope:task(fn, ...) end

---Asks every task of the scope to end. Does not wait.
function Scope:cancel() end

---Waits for fn's results; when the time is over fn is cancelled. An error in fn is raised, ipc.cancelled too.
---@param seconds number
---@param fn function
---@param ... any arguments for fn
---@return any ... fn's results, or nil and "timeout"
function ipc.timeout(seconds, fn, ...) end

---Waits until exactly one of the cases is completed; for ever by default. Raises what cannot be a case.
---@param cases table objects, or { object, "method", arguments... }: a list tried in order, or with keys; not empty
---@param timeout? number
---@return any key of the case, or nil
---@return any ... its results, or "timeout"
function ipc.select(cases, timeout) end

---Waits until nothing is left to run.
---@return true
function ipc.run() end

---A descriptor that is readable when ipc.step has something to do. Does not wait.
---@return integer
function ipc.fileno() end

---Runs what is ready; waits at most timeout seconds for it, for ever by default. Not from a task.
---@param timeout? number
---@return boolean more while something is left to run
function ipc.step(timeout) end

---The running task, nil on the main chunk. Does not wait.
---@return ipc.Task?
function ipc.current() end

---@class ipc.Stats
---@field tasks integer made and not yet ended
---@field alive integer tasks and timers that keep the program alive
---@field switches integer times a task was resumed
---@field timers integer pending ticks
---@field deadlines integer pending sleeps and timeouts
---@field threads integer helper threads
---@field signals_lost integer

---Counters. Does not wait.
---@return ipc.Stats
function ipc.stats() end

---@class ipc.TaskEntry
---@field id integer
---@field name string?
---@field status ipc.Status
---@field waiting_on string?
---@field where string? "file:line"

---The tasks that have not ended. Does not wait.
---@return ipc.TaskEntry[]
function ipc.tasks() end

---@class ipc.Finding
---@field kind "ring"|"behind"|"unending"|"held"|"busy"
---@field text string for people
---@field members ipc.FindingMember[]

---@class ipc.FindingMember
---@field pid integer
---@field task integer? 0: the main chunk
---@field name string?
---@field where string? "file:line"
---@field call string?
---@field key string?
---@field since number? of ipc.now

---Why things wait, in all processes of this user (doc/explain.md). Waits a moment.
---@return ipc.Finding[]
function ipc.explain() end

---The coroutine library in a form that lets waits pass; the host has it in place.
---@class ipc.coroutine
ipc.coroutine = {}

---As coroutine.wrap. Waits when fn does.
---@param fn function
---@return function
function ipc.coroutine.wrap(fn) end

---As coroutine.resume. Waits when the coroutine does.
---@param co thread
---@param ... any
---@return boolean ok
---@return any ...
function ipc.coroutine.resume(co, ...) end

---As coroutine.close. Raises for a coroutine that waits, and for a task's own.
---@param co thread
---@return boolean noerror
---@return any errorobject
function ipc.coroutine.close(co) end

---Puts these functions in place of the standard ones.
function ipc.coroutine.install() end

-- Signals (doc/signal.md) -------------------------------------------------------------------------

---@class ipc.SignalInfo
---@field name string "USR1"
---@field number integer
---@field pid integer? of the sender
---@field uid integer? of the sender
---@field value integer? sent with dispatch(pid, value)

---@alias ipc.Listener fun(info: ipc.SignalInfo): boolean?

---A signal to send, to handle with one function, to ignore or to wait for.
---@class ipc.Signal
---@field name string "USR1"
---@field number integer
local Signal = {}

---Turns the delivery into busy code off or on; returns what it was. Does not wait.
---@param on? boolean
---@return boolean was
function ipc.signals_async(on) end

---Runs the listeners of what is pending and the timers that are due. Does not wait.
---@return true
function ipc.dispatch() end

---Does not wait. Raises for an unknown signal.
---@param name string|integer "USR1", "SIGUSR1" or a number
---@return ipc.Signal
function ipc.signal(name) end

---Has fn called for each delivery, in place of the one before. Does not wait. Raises for KILL and STOP.
---@param fn ipc.Listener
---@return true
function Signal:handle(fn) end

---Has the system ignore the signal. Does not wait.
---@return true
function Signal:ignore() end

---Gives the signal its default action back. Does not wait.
---@return true
function Signal:default() end

---Sends the signal. Does not wait.
---@param pid integer a process, or -2 and less for a group
---@param value? integer 32 bits, goes along with the signal
---@return true|nil ok
---@return string? message
---@return integer? errno ESRCH, EPERM or EAGAIN
function Signal:dispatch(pid, value) end

---Waits for the signal, for ever by default. Collects from the first wait on.
---@param timeout? number
---@return ipc.SignalInfo|nil info
---@return "timeout"|"closed"|nil
function Signal:wait(timeout) end

---Drops the function and wakes waiters with nil, "closed".
function Signal:close() end

---Several listeners on one signal, the newest first.
---@class ipc.SignalHandler
local SignalHandler = {}

---Does not wait. Raises for an unknown signal, KILL and STOP.
---@param name string|integer
---@return ipc.SignalHandler
function ipc.signal_handler(name) end

---Adds a listener before those that are there; one that returns true stops the bubbling. Does not wait.
---@param fn ipc.Listener
---@return true
function SignalHandler:add(fn) end

---Takes a listener away. Does not wait.
---@param fn ipc.Listener
---@return boolean found
function SignalHandler:remove(fn) end

---Takes all its listeners away.
function SignalHandler:close() end

---A flag to end a loop by.
---@class ipc.SignalTrap
local SignalTrap = {}

---Does not wait. Raises for an unknown signal, KILL and STOP.
---@param name string|integer
---@param ... string|integer
---@return ipc.SignalTrap
function ipc.signal_trap(name, ...) end

---False, or the first signal since the last reset. Does not wait.
---@return ipc.SignalInfo|false
function SignalTrap:trapped() end

---Waits until something is trapped, for ever by default.
---@param timeout? number
---@return ipc.SignalInfo|nil info
---@return "timeout"|"closed"|nil
function SignalTrap:wait(timeout) end

---Forgets what was trapped. Does not wait.
---@return ipc.SignalTrap
function SignalTrap:reset() end

---Restores what was there before, and wakes waiters with nil, "closed".
function SignalTrap:close() end

-- Timers (doc/timer.md) ---------------------------------------------------------------------------

---A drift-free clock.
---@class ipc.Timer
local Timer = {}

---Makes and starts a timer. Does not wait. Without fn, one waits for its ticks.
---@param seconds number the interval, above 0
---@param fn? fun(timer: ipc.Timer, missed: integer)
---@return ipc.Timer
---@overload fun(fn: fun(timer: ipc.Timer, missed: integer)): ipc.Timer
function ipc.timer(seconds, fn) end

---Makes and starts a timer that calls fn once. Does not wait.
---@param seconds number 0 or more
---@param fn fun(timer: ipc.Timer, missed: integer)
---@return ipc.Timer
function ipc.after(seconds, fn) end

---Waits for the next tick, for ever by default. Raises for a timer with a function.
---@param timeout? number
---@return integer|nil tick its number, from 1
---@return integer|"timeout"|"closed" missed ticks since the last wait
function Timer:wait(timeout) end

---No further ticks until it is started again; waiters get nil, "closed". Does not wait.
---@return ipc.Timer
function Timer:stop() end

---Starts anew from now. Does not wait.
---@param seconds? number another interval
---@return ipc.Timer
function Timer:start(seconds) end

---Does not keep the program alive any more. Does not wait.
---@return ipc.Timer
function Timer:detach() end

---As stop.
function Timer:close() end

-- Channels (doc/stream_channel.md) ----------------------------------------------------------------

---@class ipc.Codec
---@field encode fun(value: any): string
---@field decode fun(text: string): any

---@class ipc.ChannelOptions
---@field buffer? integer bytes of sent messages that are gathered and written together, 0 by default
---@field codec? "json"|"lua"|"raw"|ipc.Codec "json" by default
---@field framing? "length"|"line" 4 bytes of length before each message (the default), or a newline after it
---@field max_message? integer bytes, 16 MiB by default

---One of two connected ends that carry Lua values.
---@class ipc.StreamChannel
local StreamChannel = {}

---Does not wait.
---@param options? ipc.ChannelOptions
---@return ipc.StreamChannel|nil
---@return ipc.StreamChannel|string other the other end, or what went wrong
---@return integer? errno
function ipc.stream_channel_pair(options) end

---A channel of a Lua file or a descriptor. Does not wait.
---@param file file*|integer
---@param options? ipc.ChannelOptions
---@return ipc.StreamChannel|nil
---@return string? message
---@return integer? errno
function ipc.stream_channel(file, options) end

---Says that no more is sent; the other end may still send. Does not wait.
---@return true|nil ok
---@return string? message
---@return integer? errno
function StreamChannel:shutdown() end

---Sends an open channel or file. Waits like send.
---@param handle ipc.StreamChannel|file*
---@param timeout? number
---@return true|nil ok
---@return "timeout"|"closed"|string|nil
---@return integer? errno
function StreamChannel:send_handle(handle, timeout) end

---Waits for a channel or file that was sent, for ever by default.
---@param timeout? number
---@return ipc.StreamChannel|file*|nil
---@return "timeout"|"closed"|string|nil
---@return integer? errno
function StreamChannel:receive_handle(timeout) end

---The process that made the other end of a Unix socket.
---@return integer|nil pid
---@return integer|string uid
---@return integer? errno
function StreamChannel:peer() end

---Waits while the system's buffer is full, for ever by default. Raises when the codec cannot carry the message.
---true: the message is in order; flush waits until the system has all of it.
---@param message any
---@param timeout? number
---@return true|nil ok
---@return "timeout"|"closed"|string|nil
---@return integer? errno
function StreamChannel:send(message, timeout) end

---Sends the messages of a list, in order. Waits as send does.
---@param messages any[]
---@param timeout? number
---@return true|nil ok
---@return "timeout"|"closed"|string|nil
---@return integer? number after a timeout or "closed" how many were sent, else the errno
function StreamChannel:send_many(messages, timeout) end

---Waits until the system has all that was sent, for ever by default.
---@param timeout? number
---@return true|nil ok
---@return "timeout"|"closed"|string|nil
---@return integer? errno
function StreamChannel:flush(timeout) end

---Waits for a message, for ever by default.
---@param timeout? number
---@return any message
---@return "timeout"|"closed"|string|nil
---@return integer? errno
function StreamChannel:receive(timeout) end

---Waits for a message, and returns it with those that have come with it.
---@param max integer
---@param timeout? number
---@return any[]|nil messages
---@return "timeout"|"closed"|string|nil
---@return integer? errno
function StreamChannel:receive_many(max, timeout) end

---An iterator of receive: waits at each step, ends when the channel is closed, raises at what cannot be decoded.
---@return fun(): any
function StreamChannel:messages() end

---The descriptor, for another loop to poll. Does not wait.
---@return integer
function StreamChannel:fileno() end

---Closes this end, and wakes waiters with nil, "closed".
function StreamChannel:close() end

-- Hubs (doc/multi_stream_channel.md) --------------------------------------------------------------

---@class ipc.HubOptions: ipc.ChannelOptions
---@field backpressure? "block"|"drop_oldest"|"disconnect" for a client that does not read; "block" by default
---@field limit? integer bytes kept for each client, 1 MiB by default

---One end of many channels.
---@class ipc.MultiStreamChannel
local MultiStreamChannel = {}

---A hub without clients. Does not wait.
---@param options? ipc.HubOptions
---@return ipc.MultiStreamChannel
function ipc.multi_stream_channel(options) end

---Joins the hub that listens at a path. Does not wait.
---@param path string
---@param options? ipc.ChannelOptions those of the hub
---@return ipc.StreamChannel|nil
---@return string? message
---@return integer? errno
function ipc.connect(path, options) end

---A channel for a task or a child. Does not wait.
---@return ipc.StreamChannel|nil
---@return string? message
---@return integer? errno
function MultiStreamChannel:create_client() end

---Lets other programs join with ipc.connect(path). Does not wait.
---@param path string at most 100 bytes
---@param options? ipc.ModeOptions of the path
---@return true|nil ok
---@return string? message
---@return integer? errno
function MultiStreamChannel:listen(path, options) end

---To all clients, or to one. Waits as `backpressure` says.
---@param message any
---@param client? integer
---@param timeout? number
---@return integer|boolean|nil reached how many clients; true: that one; false: "drop_oldest" forgot the message
---@return "timeout"|"closed"|string|nil
---@return integer? errno
function MultiStreamChannel:send(message, client, timeout) end

---Sends the messages of a list to all clients, or to one, all or none of them. Waits as send does.
---@param messages any[]
---@param client? integer
---@param timeout? number
---@return integer|boolean|nil reached
---@return "timeout"|"closed"|string|nil
---@return integer? errno
function MultiStreamChannel:send_many(messages, client, timeout) end

---Writes what was gathered for the clients (option buffer). Does not wait.
---@return true
function MultiStreamChannel:flush() end

---Waits for a message of any client, for ever by default.
---@param timeout? number
---@return any message
---@return integer|"timeout"|"closed"|string client
---@return integer? errno
---@return integer? client whose message cannot be decoded
function MultiStreamChannel:receive(timeout) end

---Waits for a message, and returns it with others that are there.
---@param max integer
---@param timeout? number
---@return any[]|nil messages
---@return integer[]|string clients of each, or what went wrong
---@return integer? errno
---@return integer? client
function MultiStreamChannel:receive_many(max, timeout) end

---An iterator of receive: waits at each step, ends when the hub is closed, raises at what cannot be decoded.
---@return fun(): any, integer
function MultiStreamChannel:messages() end

---The numbers of the clients that are there.
---@return integer[]
function MultiStreamChannel:clients() end

---Sends a client away. Does not wait.
---@param client integer
---@return boolean there_was_one
function MultiStreamChannel:disconnect(client) end

---How many clients, bytes kept for all, the limit for each, messages dropped.
---@return {clients: integer, bytes: integer, limit: integer, dropped: integer}
function MultiStreamChannel:stat() end

---Closes all channels and removes the path.
function MultiStreamChannel:close() end

-- Processes (doc/process.md) ----------------------------------------------------------------------

---What a descriptor of a program is: absent, as ours.
---@alias ipc.Stdio "pipe"|"null"|integer|file*|ipc.StreamChannel|false

---A program and its arguments, in a list.
---@class ipc.ProcessOptions
---@field [integer] string|number
---@field stdin? ipc.Stdio
---@field stdout? ipc.Stdio
---@field stderr? ipc.Stdio|"stdout"
---@field env? table<string, string|number>|false its whole environment; absent, ours
---@field cwd? string|false where it starts; absent, where we are
---@field with_parent? boolean killed when this process ends, however that is
---@field codec? "raw"|"json"|ipc.Codec of the pipes' channels, "raw" by default
---@field framing? "line"|"length" of the pipes' channels, "line" by default
---@field max_message? integer of the pipes' channels, bytes
---@field buffer? integer of the pipe to stdin: bytes that are gathered, 0 by default

---A child process.
---@class ipc.Process
---@field pid integer
---@field channel? ipc.StreamChannel this end of the channel to a forked child
---@field stdin? ipc.StreamChannel to a program; closing it is the end of its input
---@field stdout? ipc.StreamChannel from a program
---@field stderr? ipc.StreamChannel from a program
local Process = {}

---Forks, and the child runs fn(channel, ...); or starts the program of a list. Does not wait.
---@overload fun(program: ipc.ProcessOptions): ipc.Process|nil, string?, integer?
---@param fn fun(channel: ipc.StreamChannel, ...)
---@param ... any
---@return ipc.Process|nil
---@return string? message
---@return integer? errno
function ipc.process(fn, ...) end

---Waits until the child has ended, for ever by default.
---@param timeout? number
---@return true|nil ok true for exit code 0
---@return "exit"|"signal"|"timeout"|string how
---@return integer? code the exit code, or the signal's number; ECHILD: the kernel did not say
function Process:wait(timeout) end

---Sends the child a signal; never another process that got its pid. Does not wait.
---@param name string|integer
---@return true|nil ok
---@return string? message
---@return integer? errno
function Process:signal(name) end

---Closes the channel or the pipes; TERM, then KILL after 5 seconds. Waits for the end.
function Process:close() end

-- Keys (doc/key.md) -------------------------------------------------------------------------------

---Says where an object lives.
---@class ipc.Key
---@field id integer? of a file key: the System V key, 32 bits with a sign
---@field path string? as it was given, of a file or a disk
---@field project integer? 0 to 255
---@field name string? of a key of shared memory, of a disk, or on a server
local Key = {}

---The System V key of a file: ftok(3). Does not wait.
---@param path string of a file that exists
---@param project? integer 0 to 255, 0 by default
---@return ipc.Key|nil
---@return string? message
---@return integer? errno
function ipc.file_key(path, project) end

---The key of a name in this machine's shared memory. Does not wait.
---@param name string 1 to 200 letters, digits and ._-/
---@return ipc.Key
function ipc.shm_key(name) end

---The key of a name in a folder on a disk: what it stands for survives a restart of the machine. Does not wait.
---@param path string of a folder, which the first constructor makes
---@param name? string 1 to 200 letters, digits and ._-/; "main" by default
---@return ipc.Key
function ipc.disk_key(path, name) end

---The key of a name on a Redis or Valkey server, for many machines. Raises for what is no such URL. Does not wait, nor
---connect.
---Forms: "redis://[user:password@]host[:port]/[db/]name", "redis://host:port,host:port/name",
---"redis+sentinel://host,host/master/[db/]name", "redis+unix:///path?db=0&name=name"; with TLS "rediss://",
---"rediss+sentinel://". Options behind "?": timeout, lease, prefix, client_name; with TLS also ca, cert, key, verify.
---@param url string
---@return ipc.Key
function ipc.redis_key(url) end

---The key that a text names. Does not wait.
---@param text string "file:/path?project=3", "shm:name", "redis://host/name"
---@return ipc.Key|nil
---@return string? message
---@return integer? errno
function ipc.key(text) end

---The key of the same file and the next project. Raises at 255. Does not wait.
---@return ipc.Key|nil
---@return string? message
---@return integer? errno
function Key:clone() end

-- Locks (doc/semaphore.md, doc/mutex.md, doc/file_lock.md) ----------------------------------------

---@class ipc.ModeOptions
---@field mode? integer|string permissions of what is made, in octal digits, 0600 by default: 0660 or "0660"

---@class ipc.LockOptions: ipc.ModeOptions
---@field create? boolean false: what is not there is not made, but nil, message, ENOENT
---@field lease? number with a Redis key: until what its holder does not renew is free, in seconds; no meaning elsewhere

---Stands for one permit; releases it once.
---@class ipc.Guard
local Guard = {}

---Releases, unless that was done before. Does not wait.
---@return true|nil ok
---@return "removed"|"expired"|string|nil
---@return integer? errno
function Guard:close() end

---Permits that processes share.
---@class ipc.Semaphore
local Semaphore = {}

---Opens or makes a semaphore; does not acquire.
---@param key ipc.Key|string
---@param max integer permits, 1 to 32767
---@param options? ipc.LockOptions
---@return ipc.Semaphore|nil
---@return string? message
---@return integer? errno EEXIST: it has another max
function ipc.semaphore(key, max, options) end

---Waits for a permit, for ever by default.
---@param timeout? number
---@return true|nil ok
---@return "timeout"|"removed"|"closed"|string|nil
---@return integer? errno
function Semaphore:acquire(timeout) end

---As acquire(0). Does not wait.
---@return true|nil ok
---@return "timeout"|"removed"|string|nil
---@return integer? errno
function Semaphore:try_acquire() end

---Waits as acquire does; for `local seat <close> = semaphore:hold()`.
---@param timeout? number
---@return ipc.Guard|nil
---@return "timeout"|"removed"|"closed"|string|nil
---@return integer? errno
function Semaphore:hold(timeout) end

---Gives one permit of this handle back, first one without a guard. Raises if it has none. Waits with a Redis key only.
---@return true|nil ok
---@return "removed"|"expired"|string|nil "expired": its lease had ended
---@return integer? errno
function Semaphore:release() end

---Waits until what this task holds is not its own any more: its lease is over. That never comes with other keys than a
---Redis key.
---@param timeout? number
---@return true|nil lost
---@return "timeout"|"removed"|"closed"|string|nil
---@return integer? errno
function Semaphore:lost(timeout) end

---The permits that are free. Waits with a Redis key only.
---@return integer|nil permits
---@return "removed"|string|nil
---@return integer? errno
function Semaphore:value() end

---Removes it for every process. Waits with a Redis key only.
---@return true|nil ok
---@return "removed"|string|nil
---@return integer? errno
function Semaphore:remove() end

---Gives back what this handle holds, and wakes waiters with nil, "closed".
function Semaphore:close() end

---One holder, a task of some process; only that task may release it.
---@class ipc.Mutex
local Mutex = {}

---Opens or makes a mutex; does not acquire.
---@param key ipc.Key|string
---@param options? ipc.LockOptions
---@return ipc.Mutex|nil
---@return string? message
---@return integer? errno
function ipc.mutex(key, options) end

---Waits until it is free, for ever by default. Raises without a timeout when this task holds it.
---@param timeout? number
---@return true|nil ok
---@return "abandoned"|"timeout"|"removed"|"closed"|string|nil how "abandoned": the holder before died
---@return integer? errno
function Mutex:acquire(timeout) end

---As acquire(0). Does not wait.
---@return true|nil ok
---@return "abandoned"|"timeout"|"removed"|string|nil how
---@return integer? errno
function Mutex:try_acquire() end

---Waits as acquire does; for `local held <close>, how = mutex:hold()`.
---@param timeout? number
---@return ipc.Guard|nil
---@return "abandoned"|"timeout"|"removed"|"closed"|string|nil how
---@return integer? errno
function Mutex:hold(timeout) end

---Gives it back. Raises when this task does not hold it. Waits with a Redis key only.
---@return true|nil ok
---@return "removed"|"expired"|string|nil "expired": its lease had ended
---@return integer? errno
function Mutex:release() end

---Waits until what this task holds is not its own any more: its lease is over. That never comes with other keys than a
---Redis key.
---@param timeout? number
---@return true|nil lost
---@return "timeout"|"removed"|"closed"|string|nil
---@return integer? errno
function Mutex:lost(timeout) end

---The process id of the holder, nil when there is none. Waits with a Redis key only.
---@return integer|nil pid
---@return "removed"|string|nil
---@return integer? errno
function Mutex:holder() end

---The number of what this task holds, or of the handle's last hold: larger than those of all holders before. Redis
---keys only; does not wait.
---@return integer|nil token
---@return string? message
---@return integer? errno ENOTSUP with other keys
function Mutex:token() end

---Removes it for every process. Waits with a Redis key only.
---@return true|nil ok
---@return "removed"|string|nil
---@return integer? errno
function Mutex:remove() end

---Gives it back if this handle holds it, and wakes waiters with nil, "closed".
function Mutex:close() end

---flock(2) on a file.
---@class ipc.FileLock
local FileLock = {}

---Opens the file, or makes an empty one; does not lock it. Does not wait.
---@param path string
---@param options? ipc.ModeOptions
---@return ipc.FileLock|nil
---@return string? message
---@return integer? errno
function ipc.file_lock(path, options) end

---Waits for the lock, for ever by default. Raises without a timeout when this task holds it.
---@param timeout? number
---@param how? "exclusive"|"shared" "exclusive" by default
---@return true|nil ok
---@return "timeout"|"removed"|"closed"|string|nil
---@return integer? errno
function FileLock:acquire(timeout, how) end

---As acquire(0). Does not wait.
---@return true|nil ok
---@return "timeout"|string|nil
---@return integer? errno
function FileLock:try_acquire() end

---Waits as acquire does; for `local held <close> = lock:hold()`.
---@param timeout? number
---@return ipc.Guard|nil
---@return "timeout"|"removed"|"closed"|string|nil
---@return integer? errno
function FileLock:hold(timeout) end

---Gives it back. Raises when this handle does not hold it. Does not wait.
---@return true|nil ok
---@return string? message
---@return integer? errno
function FileLock:release() end

---Waits, until the timeout or for ever: a file lock has no lease, and is never lost. Raises when this task does not
---hold it.
---@param timeout? number
---@return true|nil lost
---@return "timeout"|"closed"|nil
function FileLock:lost(timeout) end

---Removes the file. Does not wait.
---@return true|nil ok
---@return "removed"|string|nil
---@return integer? errno
function FileLock:remove() end

---Gives back what this handle holds, and wakes waiters with nil, "closed".
function FileLock:close() end

-- Queues (doc/queue.md) ---------------------------------------------------------------------------

---@class ipc.QueueOptions
---@field codec? "json"|"lua"|"raw"|ipc.Codec "json" by default
---@field capacity? integer bytes of all messages together: 16384 by default with a file key, else 1 MiB
---@field max_message? integer bytes of one message
---@field create? boolean false: what is not there is not made, but nil, message, ENOENT
---@field mode? integer|string permissions of a new queue in octal digits, 0600 by default: 0660 or "0660"
---@field sync? "each"|"soon" only behind a key of a disk: when a change is there, "each" by default
---@field attempts? integer so often a job that this handle takes may be taken, 1 to 65535, 3 by default
---@field deaths? integer so many of its holders may die, 1 to 65535, 3 by default
---@field backoff? number[] {first, longest}: seconds until a job that has failed is tried again, {1, 60} by default;
--- the first is not above the longest
---@field within? number seconds that a job may take; as long as it likes by default
---@field keep? integer dead letters, 1000 by default; the oldest ones above are dropped

---@class ipc.queue.Stat
---@field messages integer that are ready
---@field ready integer the same
---@field delayed integer that are not due yet
---@field taken integer that a process has as jobs
---@field dead integer dead letters
---@field oldest? number age of the oldest message that is ready, in seconds; nil: there is none, or it is not known
---@field bytes integer of all messages together
---@field capacity integer bytes
---@field max_message integer bytes
---@field senders integer tasks of this process that wait
---@field receivers integer tasks of this process that wait
---@field last_sender integer pid, or 0
---@field last_receiver integer pid, or 0

---@class ipc.queue.How
---@field after? number seconds until it is due, before the year 2261
---@field at? number when it is due, as os.time() tells it, before the year 2261
---@field id? string 1 to 255 bytes, not beginning with "#", that no message has which is ready, delayed or taken
---@field attempts? integer so often it may be taken; goes before the option of the handle that takes it

---@class ipc.queue.WorkOptions
---@field at_once? integer jobs at a time, 1 by default
---@field type? integer as in take

---Typed messages between processes.
---@class ipc.Queue
---@operator len: integer
local Queue = {}

---Opens or makes a queue. Does not wait.
---@param key ipc.Key|string
---@param options? ipc.QueueOptions
---@return ipc.Queue|nil
---@return string? message
---@return integer? errno EEXIST: it has another capacity; ENOTSUP: options of jobs, with a file key
function ipc.queue(key, options) end

---Waits while the queue is full, for ever by default. Raises when the codec cannot carry the message.
---@param type integer 1 or more
---@param message any
---@param timeout? number
---@param how? ipc.queue.How how it is to be delivered, as a job
---@return true|nil ok
---@return "timeout"|"removed"|"closed"|"exists"|string|nil id with `how`; or why it was not sent
---@return integer? errno EMSGSIZE: too large for this queue
function Queue:send(type, message, timeout, how) end

---Waits for a message, for ever by default.
---@param type? integer 0: the oldest; n: the oldest of type n; -n: the oldest of the lowest type up to n
---@param timeout? number
---@return any message
---@return integer|"timeout"|"removed"|"closed"|string type
---@return integer? errno
function Queue:receive(type, timeout) end

---Sends the messages of a list in order. Waits while the queue is full, for ever by default. Raises when the codec
---cannot carry one of them: then nothing is sent.
---@param type integer 1 or more, of all of them
---@param messages any[]
---@param timeout? number
---@return true|nil ok
---@return "timeout"|"removed"|"closed"|string|nil
---@return integer? sent how many of them were sent; behind a message it is the errno, and this is the next
---@return integer? sent
function Queue:send_many(type, messages, timeout) end

---Waits for a message, for ever by default, and takes those that are there with it. What cannot be decoded behind the
---first is told by the next call.
---@param max integer how many at most
---@param type? integer as of receive
---@param timeout? number
---@return any[]|nil messages
---@return integer[]|"timeout"|"removed"|"closed"|string types
---@return integer? errno
function Queue:receive_many(max, type, timeout) end

---An iterator of receive: waits at each step, ends when the queue is closed or removed, raises at what cannot be
---decoded.
---@param type? integer
---@return fun(queue: ipc.Queue): any, integer
---@return ipc.Queue
function Queue:messages(type) end

---The message that receive would take; nil when there is none. Does not wait.
---@param type? integer
---@return any message
---@return integer|"removed"|string|nil type
---@return integer? errno
function Queue:peek(type) end

---Waits for a message, and takes it as a job.
---@param type? integer as in receive
---@param timeout? number
---@return ipc.Job|nil
---@return "timeout"|"removed"|"closed"|string|nil
---@return integer? errno ENOTSUP: there are no jobs with a file key
function Queue:take(type, timeout) end

---Waits: serves jobs until the queue is closed or removed. Raises what else goes wrong with the queue.
---@param fn fun(message: any, job: ipc.Job) returns: the job is done; raises: it is tried again
---@param options? ipc.queue.WorkOptions
---@return nil
---@return "closed"|"removed"|string
---@return integer? errno ENOTSUP: there are no jobs with a file key
function Queue:work(fn, options) end

---An iterator of the dead letters, the one that died first before the others.
---@return (fun(queue: ipc.Queue): ipc.job.Letter)|nil
---@return ipc.Queue|string
---@return integer? errno ENOTSUP: there are no jobs with a file key
function Queue:dead() end

---Makes dead letters ready again, without attempts and deaths; of several with one id the first that died.
---@param id? string all of them by default
---@return integer|nil how_many
---@return "removed"|string|nil
---@return integer? errno
function Queue:revive(id) end

---Drops dead letters.
---@param id? string all of them by default
---@return integer|nil how_many
---@return "removed"|string|nil
---@return integer? errno
function Queue:drop(id) end

---Counters. Does not wait.
---@return ipc.queue.Stat|nil
---@return "removed"|string|nil
---@return integer? errno
function Queue:stat() end

---Removes it and its messages, for every process. Does not wait.
---@return true|nil ok
---@return "removed"|string|nil
---@return integer? errno
function Queue:remove() end

---Closes this handle, and wakes waiters with nil, "closed".
function Queue:close() end

-- Jobs (doc/jobs.md) -------------------------------------------------------------------------------

---@class ipc.job.Letter
---@field message any nil: it cannot be decoded
---@field raw? string then: its bytes
---@field type integer
---@field id string
---@field attempt integer 1 when it was taken for the first time
---@field deaths integer of holders
---@field sent? number when, as os.time() tells it; nil: it is not known
---@field reason? string of the last retry or bury, or of the death

---@class ipc.job.Delivery: ipc.job.Letter
---@field token integer of the delivery: a later one has a greater one

---A message that is taken and not done yet.
---@class ipc.Job: ipc.job.Delivery
local Job = {}

---It is done, and gone. With arguments they become the next message in the same step. Waits for the answer of a server
---or a disk only, as the other words do.
---@param type? integer
---@param message? any
---@return true|nil ok
---@return "expired"|"full"|"removed"|string|nil
---@return integer? errno EMSGSIZE: the next message is too large
function Job:done(type, message) end

---To be tried again.
---@param seconds? number when; by default the queue's back-off
---@param reason? string up to 255 bytes, what is longer is cut
---@return true|nil ok
---@return "dead"|"expired"|"removed"|string|nil dead: it had no attempt left
---@return integer? errno
function Job:retry(seconds, reason) end

---Back to its own place; this attempt does not count.
---@return true|nil ok
---@return "expired"|"removed"|string|nil
---@return integer? errno
function Job:release() end

---To the dead letters.
---@param reason? string up to 255 bytes, what is longer is cut
---@return true|nil ok
---@return "expired"|"removed"|string|nil
---@return integer? errno
function Job:bury(reason) end

---Waits until the job is not this process's any more: its lease is over, or another task has said its word. Where jobs
---have no lease only the latter comes.
---@param timeout? number
---@return true|nil lost
---@return "timeout"|string|nil
---@return integer? errno
function Job:lost(timeout) end

---Releases it if no word was said, and warns. The end of a `local job <close> = queue:take()` retries after an error.
function Job:close() end

-- Shared memory (doc/shared_memory.md) ------------------------------------------------------------

---@class ipc.SharedMemoryOptions
---@field create? boolean false: what is not there is not made, but nil, message, ENOENT
---@field mode? integer|string permissions of new memory in octal digits, 0600 by default: 0660 or "0660"

---Integers of 64 bits that processes share, counted from 0: m[0] = 42, m[0], #m. Another slot or value raises. Behind a
---redis key all of it but #m asks the server, and waits.
---@class ipc.SharedMemory
---@field [integer] integer
---@operator len: integer
local SharedMemory = {}

---Opens shared memory, or makes it with all slots 0.
---@param key ipc.Key|string
---@param slots integer 1 to 2^27
---@param options? ipc.SharedMemoryOptions
---@return ipc.SharedMemory|nil
---@return string? message
---@return integer? errno EEXIST: it has another number of slots
function ipc.shared_memory(key, slots, options) end

---Adds to a slot in one step; wraps around at 64 bits. Does not wait.
---@param slot integer
---@param n integer
---@return integer|nil sum
---@return string? message only behind a redis key
---@return integer? errno
function SharedMemory:add(slot, n) end

---Writes `new` if the slot has the value `expected`, in one step. Does not wait.
---@param slot integer
---@param expected integer
---@param new integer
---@return boolean done
---@return integer? current when it was not done
function SharedMemory:compare_and_swap(slot, expected, new) end

---Functions for loops that read and write many slots: faster than m[slot], and with the same errors.
---@return fun(slot: integer, count?: integer): integer... get one slot, or so many from that one on
---@return fun(slot: integer, value: integer) set
function SharedMemory:accessors() end

---Waits while the slot has that value, for ever by default.
---@param slot integer
---@param value integer
---@param timeout? number
---@return integer|nil new
---@return "timeout"|"removed"|"closed"|string|nil
---@return integer? errno ENOTSUP: a System V segment that another program made
function SharedMemory:wait(slot, value, timeout) end

---Frees the name for every process, and ends all waits with nil, "removed". Does not wait.
---@return true|nil ok
---@return "removed"|string|nil
---@return integer? errno
function SharedMemory:remove() end

---Closes this handle, and wakes its waiters with nil, "closed".
function SharedMemory:close() end

-- Shared data (doc/shared_data.md) ----------------------------------------------------------------

---@class ipc.SharedDataOptions
---@field codec? "json"|"lua"|"raw"|ipc.Codec "json" by default
---@field size? integer bytes that names and values may take, 4 MiB by default
---@field create? boolean false: what is not there is not made, but nil, message, ENOENT
---@field mode? integer|string permissions of new data in octal digits, 0600 by default: 0660 or "0660"
---@field sync? "each"|"soon" only behind a key of a disk: when a change is there, "each" by default

---@class ipc.SharedDataSetOptions
---@field ttl? number seconds, after which the name is gone; without, it stays

---@class ipc.shared_data.Stat
---@field names integer
---@field size integer bytes that names and values may take
---@field used integer bytes that they take
---@field max_value integer bytes of the largest value
---@field waiters integer tasks of this process that wait

---What the function of data:change() reads and writes.
---@class ipc.Change
local Change = {}

---The value and its version; what the change has set itself, without a version. Waits where data:get does.
---@param name string
---@return any value
---@return integer|string|nil version
---@return integer? errno
function Change:get(name) end

---Sets the name when the function has ended. Raises when the codec cannot carry the value. Does not wait.
---@param name string
---@param value any not nil
---@param options? ipc.SharedDataSetOptions
function Change:set(name, value, options) end

---Deletes the name when the function has ended. Does not wait.
---@param name string
function Change:delete(name) end

---Names as they were at one moment, of data:each().
---@class ipc.Snapshot
local Snapshot = {}

---Frees its memory before it is collected.
function Snapshot:close() end

---Values by name that processes share. Behind a redis key all of it asks the server, and waits.
---@class ipc.SharedData
local SharedData = {}

---Opens or makes shared data. Does not wait.
---@param key ipc.Key|string
---@param options? ipc.SharedDataOptions
---@return ipc.SharedData|nil
---@return string? message
---@return integer? errno EEXIST: it has another size
function ipc.shared_data(key, options) end

---The value and its version; nil when there is none. Does not wait.
---@param name string 1 to 511 bytes
---@return any value
---@return integer|"removed"|string|nil version
---@return integer? errno
function SharedData:get(name) end

---Sets, if the check holds. Raises when the codec cannot carry the value. Does not wait.
---@param name string
---@param value any not nil
---@param check? boolean|integer true: the version this handle last got; n: this version; 0: only if there is none
---@param options? ipc.SharedDataSetOptions
---@return integer|nil version
---@return "changed"|"removed"|string|nil
---@return integer? errno ENOSPC: it is full; EMSGSIZE: over a quarter of its size
function SharedData:set(name, value, check, options) end

---Sets to fn(value), again if something came between; fn may wait, and deletes by returning nil.
---@param name string
---@param fn fun(value: any): any
---@return any value
---@return "removed"|string|nil
---@return integer? errno
function SharedData:update(name, fn) end

---Several names in one step: all or nothing, and fn again if something that it read has changed. fn may wait.
---@param fn fun(change: ipc.Change): ...
---@return any ... fn's results; or nil, why
function SharedData:change(fn) end

---Adds, atomically, from 0. Raises if the value is not a number. Does not wait.
---@param name string
---@param n number
---@return number|nil sum
---@return "removed"|string|nil
---@return integer? errno
function SharedData:add(name, n) end

---False: there was none. Does not wait.
---@param name string
---@param check? boolean|integer as that of set
---@return boolean|nil
---@return "changed"|"removed"|string|nil
---@return integer? errno
function SharedData:delete(name, check) end

---Deletes all names; how many. Does not wait.
---@return integer|nil
---@return "removed"|string|nil
---@return integer? errno
function SharedData:clear() end

---What a loop over a snapshot wants: name, value and version in the order of bytes. Does not wait.
---@param prefix? string
---@return fun(snapshot: ipc.Snapshot): string?, any, integer|string|nil
---@return ipc.Snapshot
---@return nil
---@return ipc.Snapshot
function SharedData:each(prefix) end

---Waits until the name has another version, for ever by default.
---@param name string
---@param version? integer 0 or nil: until there is a value
---@param timeout? number
---@return any value nil: it was deleted
---@return integer|"timeout"|"removed"|"closed"|string version
---@return integer? errno
function SharedData:wait(name, version, timeout) end

---How many names there are. Does not wait.
---@return integer|nil
---@return "removed"|string|nil
---@return integer? errno
function SharedData:count() end

---Counters. Does not wait.
---@return ipc.shared_data.Stat|nil
---@return "removed"|string|nil
---@return integer? errno
function SharedData:stat() end

---Removes it for every process. Does not wait.
---@return true|nil ok
---@return "removed"|string|nil
---@return integer? errno
function SharedData:remove() end

---Closes this handle, and wakes waiters with nil, "closed".
function SharedData:close() end

return ipc
