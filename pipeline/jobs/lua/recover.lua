-- Takes jobs from workers that have been silent too long.  They wait again, in front; who
-- has seen too many workers die under it is failed instead, for it may be what kills them.
-- ARGV: ms of silence, deaths that are too many, JSON of that error.
-- Returns for each job: queue, what was done (recovered, killed_worker, cancelled), ms since
-- the worker's last sign of life.
local now = now_ms()
local silence, too_many = tonumber(ARGV[1]), tonumber(ARGV[2])
-- How much one call moves, so that it never holds Redis up for long.
local MOST = 1000
local result, moved = {}, 0

local function recover(worker, id, delivery)
  local job = P .. 'job:' .. id
  local queue, lane, cancelled = take_back(worker, id, delivery)
  if not queue then
    return
  end
  local deaths = call('HINCRBY', job, 'deaths', 1)
  call('HINCRBY', job, 'attempts', -1)
  local done = 'recovered'
  if cancelled then
    done = 'cancelled'
    fail(queue, id, now, cancelled, false)
  elseif deaths >= too_many then
    done = 'killed_worker'
    fail(queue, id, now, ARGV[3], true)
  else
    if deaths == too_many - 1 then
      call('HSET', P .. 'suspects', id, '')
    end
    local known = call('HMGET', job, 'attempts', 'started_at')
    note_attempt(job, {
      number = (tonumber(known[1]) or 0) + 1, -- it was given back above
      started_at = tonumber(known[2]),
      worker = worker,
      given_back = true,
      died = true,
    })
    call('HSET', job, 'state', 'waiting')
    wait(queue, lane, id, now, true)
  end
  return queue, done
end

for _, worker in ipairs(call('ZRANGEBYSCORE', P .. 'workers', '-inf', now - silence)) do
  local running = P .. 'running:' .. worker
  for _, member in ipairs(call('SRANDMEMBER', running, MOST)) do
    local id, delivery = string.match(member, '^(%S+) (%d+)$')
    local queue, done = recover(worker, id, delivery)
    if queue then
      result[#result + 1] = { queue, done, now - call('ZSCORE', P .. 'workers', worker) }
    end
    moved = moved + 1
  end
  if call('EXISTS', running) == 0 then
    call('ZREM', P .. 'workers', worker)
    call('DEL', P .. 'worker:' .. worker, P .. 'cancel:' .. worker)
  end
  if moved >= MOST then
    break
  end
end
return result
