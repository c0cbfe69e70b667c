-- Enqueues jobs.  A job id that waits, is delayed or runs is not enqueued again.
-- ARGV: correlation id, message id of the parent or '', release,
-- then for each job: message id, job id, job, queue, lane, arguments, delay in ms,
-- 1 if a running one shall run again, and JSON of what is seldom there, or ''.
-- Returns for each job the message id under which it runs, and 1 if that is a new one.
local now = now_ms()
local correlation, parent, release = ARGV[1], ARGV[2], ARGV[3]
local MOST_CHILDREN = 50
local result, children = {}, {}

local function mark_once(extra, id)
  if extra.once then
    call('SET', P .. 'once:' .. extra.once, id, 'PX', extra.once_ms)
    call('HSET', P .. 'job:' .. id, 'once', extra.once)
  end
end

-- Returns the message id under which a job is there already, else nil.
local function already(id, job_id, extra, rerun, due)
  if call('EXISTS', P .. 'job:' .. id) == 1 then
    return id -- the same call again, of which the answer was lost
  end
  if extra.once then
    local sent = call('GET', P .. 'once:' .. extra.once)
    if sent then
      return sent
    end
  end
  local there = call('HGET', P .. 'live', job_id)
  if not there then
    return nil
  end
  local state = call('HGET', P .. 'job:' .. there, 'state')
  if not state then
    return nil -- its hash was deleted by hand
  end
  if rerun == '1' and state == 'running' then
    local asked = call('HGET', P .. 'job:' .. there, 'again')
    if not asked or due < tonumber(asked) then
      call('HSET', P .. 'job:' .. there, 'again', due)
    end
  end
  mark_once(extra, there)
  return there
end

for a = 4, #ARGV, 9 do
  local id, job_id, job, queue, lane = ARGV[a], ARGV[a + 1], ARGV[a + 2], ARGV[a + 3], ARGV[a + 4]
  local delay, rerun = tonumber(ARGV[a + 6]), ARGV[a + 7]
  local extra = ARGV[a + 8] ~= '' and cjson.decode(ARGV[a + 8]) or {}
  local there = already(id, job_id, extra, rerun, now + delay)
  if not there then
    call('HSET', P .. 'live', job_id, id)
    call('HSET', P .. 'job:' .. id, 'job_id', job_id, 'job', job, 'queue', queue, 'lane', lane,
      'args', ARGV[a + 5], 'state', delay > 0 and 'delayed' or 'waiting', 'enqueued_at', now,
      'correlation', extra.correlation or correlation, 'release', release)
    if parent ~= '' then
      call('HSET', P .. 'job:' .. id, 'parent', parent)
      children[#children + 1] = id
    end
    if extra.options then
      call('HSET', P .. 'job:' .. id, 'options', extra.options)
    end
    mark_once(extra, id)
    if delay > 0 then
      call('HSET', P .. 'job:' .. id, 'why', 'scheduled')
      call('ZADD', of(queue, 'delayed'), now + delay, id)
    else
      wait(queue, lane, id, now)
    end
  end
  result[#result + 1] = there or id
  result[#result + 1] = (not there or there == id) and 1 or 0
end

if #children > 0 and call('EXISTS', P .. 'job:' .. parent) == 1 then
  call('HINCRBY', P .. 'job:' .. parent, 'children', #children)
  local room = MOST_CHILDREN - call('LLEN', P .. 'children:' .. parent)
  for c = 1, math.min(room, #children) do
    call('RPUSH', P .. 'children:' .. parent, children[c])
  end
end
return result
