-- Drops a job that has ended from history.  ARGV: message id.  Returns whether it was dropped.
local id = ARGV[1]
local known = call('HMGET', P .. 'job:' .. id, 'state', 'queue')
local state, queue = known[1], known[2]
if state ~= 'completed' and state ~= 'failed' then
  return 0
end
call('LREM', P .. 'outbox', 0, id)
call('ZREM', of(queue, state), id)
forget(id)
return 1
