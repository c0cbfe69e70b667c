-- What a worker does all the time: files what it has finished, and fetches what it can run.
--
-- ARGV: queue, worker id, how many jobs it wants, how many it has finished, the scope of
-- which only one may run or '', completed and failed to keep, and their ages in ms (0: any),
-- number of limits, and for each: scope, starts allowed, microseconds of a slot, slots that
-- count; then for each finished job: message id, delivery, what comes next (completed, failed,
-- delayed, waiting), when the attempt started (0: it never began) and how long it ran in ms,
-- 1 if the attempt is given back, a spare message id, and JSON of what is seldom there, or ''.
-- Returns {for each finished job 1, or 0 if it was no longer this worker's,
--          the fetched jobs, the limits that were hit}.
local now = now_ms()
local queue, worker = ARGV[1], ARGV[2]
local want, finishes, one_per = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local keep = { completed = tonumber(ARGV[6]), failed = tonumber(ARGV[7]) }
local age = { completed = tonumber(ARGV[8]), failed = tonumber(ARGV[9]) }
local limits, at = {}, 10 + tonumber(ARGV[10]) * 4
for a = 11, at, 4 do
  limits[#limits + 1] = {
    scope = ARGV[a],
    starts = tonumber(ARGV[a + 1]),
    length = tonumber(ARGV[a + 2]),
    counted = tonumber(ARGV[a + 3]),
  }
end
local MOST_LOG_LINES = 200
-- Lanes that one call looks at, so that it never holds Redis up for long.
local MOST_LANES = 500
-- What was paused is looked at again within the hour: who resumed it may have been killed
-- before the lanes were opened.
local MOST_CLOSED_MS = 3600000

local function file_lines(id, lines)
  local log = P .. 'log:' .. id
  for _, line in ipairs(lines) do
    call('RPUSH', log, line)
  end
  call('LTRIM', log, -MOST_LOG_LINES, -1)
end

-- A job that was asked for while it ran: the same again, under a message id of its own.
local function run_again(id, spare, job_id, lane, due)
  local job = P .. 'job:' .. spare
  local same = call('HMGET', P .. 'job:' .. id, 'job', 'args', 'correlation', 'release', 'options')
  call('HSET', job, 'job_id', job_id, 'job', same[1], 'queue', queue, 'lane', lane, 'args', same[2],
    'state', due > now and 'delayed' or 'waiting', 'enqueued_at', now, 'correlation', same[3],
    'release', same[4], 'parent', id)
  if same[5] then
    call('HSET', job, 'options', same[5])
  end
  call('HSET', P .. 'live', job_id, spare)
  if due > now then
    call('HSET', job, 'why', 'scheduled')
    call('ZADD', of(queue, 'delayed'), due, spare)
  else
    wait(queue, lane, spare, now)
  end
end

-- Files a job that has ended, with the error if it has failed.
local function end_job(id, job, lane, spare, state, error, letter)
  local known = call('HMGET', job, 'job_id', 'once', 'again')
  if state == 'failed' then
    fail(queue, id, now, error, letter)
  else
    call('HSET', job, 'state', 'completed', 'finished_at', now)
    call('ZADD', of(queue, 'completed'), now, id)
    count_end(queue, 'completed')
    end_life(id, known[1], known[2], 'completed')
  end
  if known[3] then
    run_again(id, spare, known[1], lane, tonumber(known[3]))
  end
  trim(queue, state, keep[state], age[state] > 0 and now - age[state] or 0, 10)
end

-- Notes how the attempt has gone that is filed, and after which the job goes on.
local function note_finished(a, job, fields)
  note_attempt(job, {
    number = tonumber(call('HGET', job, 'attempts')),
    started_at = tonumber(ARGV[a + 3]),
    run_ms = tonumber(ARGV[a + 4]),
    worker = worker,
    given_back = ARGV[a + 5] == '1' or nil,
    why = fields.why,
    error = fields.error,
    traceback = fields.traceback,
  })
end

local function finish(a)
  local id, next_state, spare = ARGV[a], ARGV[a + 2], ARGV[a + 6]
  local known, lane, cancelled = take_back(worker, id, ARGV[a + 1])
  if not known then
    return 0
  end
  local job = P .. 'job:' .. id
  local more = ARGV[a + 7] ~= '' and cjson.decode(ARGV[a + 7]) or {}
  if ARGV[a + 3] ~= '0' then
    call('HSET', job, 'started_at', ARGV[a + 3], 'run_ms', ARGV[a + 4])
    if not cancelled and (next_state == 'delayed' or next_state == 'waiting') then
      note_finished(a, job, more.fields or {})
    end
  end
  if ARGV[a + 5] == '1' then
    call('HINCRBY', job, 'attempts', -1)
  end
  for field, value in pairs(more.fields or {}) do
    call('HSET', job, field, value)
  end
  if more.lines then
    file_lines(id, more.lines)
  end
  if more.deferred then
    call('HINCRBY', job, 'deferrals', 1)
  end

  if next_state == 'completed' or next_state == 'failed' then
    end_job(id, job, lane, spare, next_state, more.error, more.letter)
  elseif cancelled then
    end_job(id, job, lane, spare, 'failed', cancelled, false)
  elseif next_state == 'delayed' then
    call('HSET', job, 'state', 'delayed')
    call('ZADD', of(queue, 'delayed'), now + more.delay_ms, id)
  else
    call('HSET', job, 'state', 'waiting')
    wait(queue, lane, id, now, more.in_front)
  end
  return 1
end

local some_paused = call('EXISTS', P .. 'paused') == 1
some_suspects = call('EXISTS', P .. 'suspects') == 1

local function value_of(lane, scope)
  return scope == 'queue' and queue or string.match('\n' .. lane, '\n(' .. scope .. ':[^\n]*)')
end

-- Whether the next job of a lane is a suspect, and this worker has one already.
local function too_risky(lane)
  local id = call('LINDEX', of(queue, 'lane:' .. lane), 0)
  if not (id and is_suspect(id)) then
    return false
  end
  for _, holder in ipairs(call('HVALS', P .. 'suspects')) do
    if holder == worker then
      return true
    end
  end
  return false
end

local hits = {}
math.randomseed(now) -- Redis gives every call the same numbers otherwise

-- Returns until when nothing of this lane may start, and for which scope; else nothing,
-- after the limits have been charged with one start.
local function refused(lane)
  if some_paused then
    for line in string.gmatch(lane, '[^\n]+') do
      local till = paused_until(line, now)
      if till then
        return till, string.match(line, '^(%a+):')
      end
    end
  end
  local mine = one_per ~= '' and value_of(lane, one_per)
  if mine and call('HEXISTS', of(queue, 'busy'), mine) == 1 then
    -- The end of the job that runs opens this lane; the second is for other lanes of the scope.
    return now + 1000, one_per
  end
  if some_suspects and too_risky(lane) then
    return now + 1000, 'suspect'
  end
  local charges, till, which = {}, 0, nil
  for _, limit in ipairs(limits) do
    local value = value_of(lane, limit.scope)
    if value then
      -- A user may have a limit per minute and one per day: each has slots of its own.
      local key = P .. 'starts:' .. queue .. ':' .. limit.length .. ':' .. value
      local wait_us, slot = window.wait(key, now * 1000, 1, limit.length, limit.counted,
        limit.starts, limit.starts)
      if wait_us > 0 and now + wait_us / 1000 > till then
        till, which = now + math.ceil(wait_us / 1000), limit.scope
      end
      charges[#charges + 1] = { key, slot, limit }
    end
  end
  if which then
    hits[#hits + 1] = which
    return till, which
  end
  for _, charge in ipairs(charges) do
    window.take(charge[1], charge[2], 1, charge[3].length, charge[3].counted)
  end
end

-- Returns a job as the worker gets it, or nil if somebody has deleted it.
local function start(id, lane)
  local job = P .. 'job:' .. id
  local known = call('HMGET', job, 'job_id', 'job', 'args', 'options', 'deaths',
    'deferrals', 'enqueued_at', 'correlation')
  if not (known[1] or known[2]) then
    call('ZREM', of(queue, 'waiting'), id)
    return nil
  end
  local since = call('ZSCORE', of(queue, 'waiting'), id) or now
  local delivery = call('HINCRBY', job, 'deliveries', 1)
  local attempt = call('HINCRBY', job, 'attempts', 1)
  if delivery > 1 then
    call('HDEL', job, 'again') -- whoever asked while it ran before, gets this run
  end
  call('ZREM', of(queue, 'waiting'), id)
  call('ZADD', of(queue, 'running'), now, id)
  call('SADD', P .. 'running:' .. worker, id .. ' ' .. delivery)
  call('HSET', job, 'state', 'running', 'started_at', now, 'worker', worker,
    'wait_ms', now - since)
  local mine = one_per ~= '' and value_of(lane, one_per)
  if mine then
    call('HINCRBY', of(queue, 'busy'), mine, 1)
    call('HSET', job, 'busy', mine)
  end
  if is_suspect(id) then
    call('HSET', P .. 'suspects', id, worker)
  end
  return { id, delivery, attempt, now - since, lane, known[1], known[2], known[3], known[4],
    known[5], known[6], known[7], known[8] }
end

-- Lets nobody look at a lane or tenant before `till`.
local function close(member, till)
  -- Lanes that share a limit come due at the same time.  In random order each gets its turn;
  -- in that of their names the first would take every start.
  call('ZADD', of(queue, 'closed'), math.min(till, now + MOST_CLOSED_MS) + math.random(), member)
end

-- Takes the next lane of `tenant`.  Returns a job, or nil; and whether the queue is closed.
local function take(tenant)
  local lanes = of(queue, 'lanes:' .. tenant)
  local lane = call('LPOP', lanes)
  if not lane then
    return nil, false
  end
  local till, scope = refused(lane)
  local fetched
  if scope == 'queue' then
    call('LPUSH', lanes, lane)
    call('LPUSH', of(queue, 'tenants'), tenant)
    call('SET', of(queue, 'until'), till, 'PX', math.max(1, till - now))
    return nil, true
  elseif scope == 'tenant' then
    call('LPUSH', lanes, lane)
    close('t' .. tenant, till)
    return nil, false
  elseif till then
    close('l' .. lane, till)
  else
    local list = of(queue, 'lane:' .. lane)
    local id = call('LPOP', list)
    fetched = id and start(id, lane) or nil
    if call('EXISTS', list) == 1 then
      call('RPUSH', lanes, lane)
    end
  end
  if call('EXISTS', lanes) == 1 then
    call('RPUSH', of(queue, 'tenants'), tenant)
  end
  return fetched, false
end

local function fetch()
  local jobs, looked = {}, 0
  if want == 0 or some_paused and paused_until('queue:' .. queue, now)
    or call('EXISTS', of(queue, 'until')) == 1 then
    return jobs
  end
  while #jobs < want and looked < MOST_LANES do
    looked = looked + 1
    local tenant = call('LPOP', of(queue, 'tenants'))
    if not tenant then
      break
    end
    local job, closed = take(tenant)
    jobs[#jobs + 1] = job
    if closed then
      break
    end
  end
  if #jobs > 0 then
    -- Not before: a Redis that is full would refuse it as the first thing to be written, and
    -- could not be emptied by running what is in it.
    call('ZADD', P .. 'workers', now, worker)
  end
  return jobs
end

local filed = {}
for f = 1, finishes do
  filed[f] = finish(at + 1 + (f - 1) * 8)
end
return { filed, fetch(), hits }
