-- Says that a worker lives, and how far its jobs are.
-- ARGV: worker id, ms after which its description goes, JSON of that, then for each job with
-- news: message id, JSON of its progress or '', JSON list of log lines.
-- Returns {what Redis believes it has, what it shall stop}.
local MOST_LOG_LINES = 200
call('ZADD', P .. 'workers', now_ms(), ARGV[1])
call('SET', P .. 'worker:' .. ARGV[1], ARGV[3], 'PX', ARGV[2])
for a = 4, #ARGV, 3 do
  if call('EXISTS', P .. 'job:' .. ARGV[a]) == 1 then
    if ARGV[a + 1] ~= '' then
      call('HSET', P .. 'job:' .. ARGV[a], 'progress', ARGV[a + 1])
    end
    for _, line in ipairs(cjson.decode(ARGV[a + 2])) do
      call('RPUSH', P .. 'log:' .. ARGV[a], line)
    end
    call('LTRIM', P .. 'log:' .. ARGV[a], -MOST_LOG_LINES, -1)
  end
end
return { call('SMEMBERS', P .. 'running:' .. ARGV[1]), call('SMEMBERS', P .. 'cancel:' .. ARGV[1]) }
