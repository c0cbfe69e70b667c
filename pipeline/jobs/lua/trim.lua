-- Drops what history need not keep any longer, a bit at a time.
-- ARGV: for each queue its name, completed and failed to keep, and their ages in ms (0: any).
local now = now_ms()
for a = 1, #ARGV, 5 do
  for i, state in ipairs({ 'completed', 'failed' }) do
    local age = tonumber(ARGV[a + 2 + i])
    trim(ARGV[a], state, tonumber(ARGV[a + i]), age > 0 and now - age or 0, 200)
  end
end
