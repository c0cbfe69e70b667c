-- Cancels a job.  ARGV: message id, JSON of the error.  Returns the state that it was in, or ''.
local id, now = ARGV[1], now_ms()
local job = P .. 'job:' .. id
local known = call('HMGET', job, 'state', 'queue', 'lane', 'worker', 'deliveries')
local state, queue, lane = known[1], known[2], known[3]
if state == 'waiting' then
  call('ZREM', of(queue, 'waiting'), id)
  local list = of(queue, 'lane:' .. lane)
  call('LREM', list, 1, id)
  if call('EXISTS', list) == 0 then
    unring(queue, lane)
  end
  fail(queue, id, now, ARGV[2], false)
elseif state == 'delayed' then
  call('ZREM', of(queue, 'delayed'), id)
  fail(queue, id, now, ARGV[2], false)
elseif state == 'running' then
  -- What asked for it to run again before, is cancelled too.
  call('HDEL', job, 'again')
  call('HSET', job, 'cancel', ARGV[2])
  call('SADD', P .. 'cancel:' .. known[4], id .. ' ' .. known[5])
end
return state or ''
