-- What the scripts of this folder share.  scripts.py puts it in front of each.
-- KEYS[1] is the prefix of all keys; layout.py says what lies where.
local P = KEYS[1]
local call = redis.call

local function of(queue, part)
  return P .. queue .. ':' .. part
end

local function now_ms()
  local time = call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function tenant_of(lane)
  return string.match(lane, '^tenant:([^\n]*)') or ''
end

-- Puts a lane, in which something waits, into the ring of its tenant.
local function open(queue, lane)
  local tenant = tenant_of(lane)
  local length = call('RPUSH', of(queue, 'lanes:' .. tenant), lane)
  if length == 1 and not call('ZSCORE', of(queue, 'closed'), 't' .. tenant) then
    call('RPUSH', of(queue, 'tenants'), tenant)
  end
end

-- Takes a lane out of its ring, because nothing waits in it any more.
local function unring(queue, lane)
  local tenant = tenant_of(lane)
  local lanes = of(queue, 'lanes:' .. tenant)
  call('LREM', lanes, 1, lane)
  if call('EXISTS', lanes) == 0 then
    call('LREM', of(queue, 'tenants'), 1, tenant)
  end
end

-- Lets a job wait in its lane: in front of the others if it had been taken before.
local function wait(queue, lane, id, now, in_front)
  call('ZADD', of(queue, 'waiting'), now, id)
  local length = call(in_front and 'LPUSH' or 'RPUSH', of(queue, 'lane:' .. lane), id)
  if length == 1 and not call('ZSCORE', of(queue, 'closed'), 'l' .. lane) then
    open(queue, lane)
  end
end

-- Looks again at a lane or tenant that was closed.
local function reopen(queue, member)
  if call('ZREM', of(queue, 'closed'), member) == 0 then
    return
  end
  local name = string.sub(member, 2)
  if string.sub(member, 1, 1) == 't' then
    if call('EXISTS', of(queue, 'lanes:' .. name)) == 1 then
      call('RPUSH', of(queue, 'tenants'), name)
    end
  elseif call('EXISTS', of(queue, 'lane:' .. name)) == 1 then
    open(queue, name)
  end
end

local function forget(id)
  call('DEL', P .. 'job:' .. id, P .. 'log:' .. id, P .. 'children:' .. id)
end

-- With more than these in the outbox, as when MongoDB is away, history stays as it is: to find
-- out which of it must stay would hold Redis up.
local MOST_LETTERS = 1000

-- Drops the oldest of a history: those above `count`, and those from before `oldest` (0: none).
local function trim(queue, state, count, oldest, most)
  local history = of(queue, state)
  local surplus = math.min(call('ZCARD', history) - count, most)
  local ids = surplus > 0 and call('ZRANGE', history, 0, surplus - 1) or {}
  if oldest > 0 and #ids == 0 then
    ids = call('ZRANGEBYSCORE', history, '-inf', '(' .. oldest, 'LIMIT', 0, most)
  end
  local letters = state == 'failed' and #ids > 0 and call('LLEN', P .. 'outbox') or 0
  if letters > MOST_LETTERS then
    return
  end
  for _, id in ipairs(ids) do
    if letters == 0 or not call('LPOS', P .. 'outbox', id) then
      call('ZREM', history, id)
      forget(id)
    end
  end
end

local some_suspects

-- Whether a job has seen so many workers die under it that one more is too many.  A worker has
-- only one of them at a time, so that who kills workers is not mistaken for who was near.
local function is_suspect(id)
  if some_suspects == nil then
    some_suspects = call('EXISTS', P .. 'suspects') == 1
  end
  return some_suspects and call('HEXISTS', P .. 'suspects', id) == 1
end

-- Ends the life of a job id, so that it may be sent again.
local function end_life(id, job_id, once, outcome)
  if is_suspect(id) then
    call('HDEL', P .. 'suspects', id)
  end
  if call('HGET', P .. 'live', job_id) == id then
    call('HDEL', P .. 'live', job_id)
  end
  if once and once ~= '' then
    call('SET', P .. 'once:' .. once, outcome, 'XX', 'KEEPTTL')
  end
end

-- Counts a job that has ended: history forgets, this does not.
local function count_end(queue, state)
  call('HINCRBY', P .. 'ended', queue .. ':' .. state, 1)
end

-- Files a job as failed.  `letter`: a person must see it.
local function fail(queue, id, now, error, letter)
  local job = P .. 'job:' .. id
  local known = call('HMGET', job, 'job_id', 'once')
  call('HSET', job, 'state', 'failed', 'finished_at', now, 'error', error)
  call('ZADD', of(queue, 'failed'), now, id)
  count_end(queue, 'failed')
  end_life(id, known[1] or '', known[2], 'failed')
  if letter then
    call('RPUSH', P .. 'outbox', id)
  end
end

-- So many attempts of a job, beside its latest, are told of.
local MOST_PAST = 20

-- Notes an attempt that has ended while its job goes on.  Those that were put off by a limit are
-- forgotten first: there may be any number of them.
local function note_attempt(job, attempt)
  local fine, past = pcall(cjson.decode, call('HGET', job, 'past') or '[]')
  if not fine or type(past) ~= 'table' then
    past = {}
  end
  past[#past + 1] = attempt
  if #past > MOST_PAST then
    local oldest = 1
    for p = #past, 1, -1 do
      oldest = past[p].given_back and p or oldest
    end
    table.remove(past, oldest)
  end
  call('HSET', job, 'past', cjson.encode(past))
end

-- Takes a job from the worker that has it; false if that does not have it (any more).
-- Returns queue, lane, and if somebody cancelled it meanwhile, the error that says so.
local function take_back(worker, id, delivery)
  if call('SREM', P .. 'running:' .. worker, id .. ' ' .. delivery) == 0 then
    return false
  end
  local known = call('HMGET', P .. 'job:' .. id, 'queue', 'lane', 'busy', 'cancel')
  local queue, lane, busy = known[1], known[2], known[3]
  if not queue then
    call('HDEL', P .. 'suspects', id)
    return false
  end
  call('ZREM', of(queue, 'running'), id)
  if known[4] then
    call('SREM', P .. 'cancel:' .. worker, id .. ' ' .. delivery)
  end
  if busy and busy ~= '' then
    if call('HINCRBY', of(queue, 'busy'), busy, -1) <= 0 then
      call('HDEL', of(queue, 'busy'), busy)
    end
    call('HDEL', P .. 'job:' .. id, 'busy')
    reopen(queue, 'l' .. lane)
  end
  if is_suspect(id) then
    call('HSET', P .. 'suspects', id, '')
    reopen(queue, 'l' .. lane)
  end
  return queue, lane, known[4]
end

-- Returns until when a scope is paused, in ms, or nil.
local function paused_until(scope, now)
  local pause = call('HGET', P .. 'paused', scope)
  if not pause then
    return nil
  end
  local till = cjson.decode(pause)['until']
  if type(till) ~= 'number' then
    return math.huge
  end
  if till <= now then
    call('HDEL', P .. 'paused', scope)
    return nil
  end
  return till
end
