-- Moves on what is due in the given queues, and says in which of them something may start.
-- ARGV: queues.  Returns for each 1 or 0.
local now = now_ms()
-- How much one call moves, so that it never holds Redis up for long.
local MOST = 500

local function promote(queue)
  for _, id in ipairs(call('ZRANGEBYSCORE', of(queue, 'delayed'), '-inf', now, 'LIMIT', 0, MOST)) do
    call('ZREM', of(queue, 'delayed'), id)
    local lane = call('HGET', P .. 'job:' .. id, 'lane')
    if lane then
      call('HSET', P .. 'job:' .. id, 'state', 'waiting')
      wait(queue, lane, id, now)
    end
  end
end

local open_queues = {}
for q, queue in ipairs(ARGV) do
  promote(queue)
  for _, member in ipairs(call('ZRANGEBYSCORE', of(queue, 'closed'), '-inf', now, 'LIMIT', 0, MOST)) do
    reopen(queue, member)
  end
  local may = call('EXISTS', of(queue, 'tenants')) == 1
    and call('EXISTS', of(queue, 'until')) == 0
    and not paused_until('queue:' .. queue, now)
  open_queues[q] = may and 1 or 0
end
return open_queues
