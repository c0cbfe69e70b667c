-- Walks a part of the jobs of a queue and state, and says which of them pass the tests.
-- ARGV: queue, state, score and message id after which to begin or '', how many jobs to look
-- at, how many to find, JSON of {the fields that tests read, the tests}.  A test is {how,
-- value, numbers of the fields}; a job must pass all of them.  The latest comes first, of
-- delayed jobs that which is due first.
-- Returns {1 if the end was reached, score and message id of the last job looked at,
--          {message id and score of each that passed}}.
-- Without a queue it looks at the jobs whose message ids follow, wherever they are, and
-- returns {message id, score, queue, state} of each that passed.
local set, high_first = of(ARGV[1], ARGV[2]), ARGV[2] ~= 'delayed'
local most, wanted = tonumber(ARGV[5]), tonumber(ARGV[6])
local fields, tests = unpack(cjson.decode(ARGV[7]))

-- Returns message ids and scores.
local function range(from, to)
  return call(high_first and 'ZREVRANGE' or 'ZRANGE', set, from, to, 'WITHSCORES')
end

local function comes_after(score, id, mark_score, mark_id)
  if score == mark_score then
    return id ~= mark_id and (id < mark_id) == high_first
  end
  return (score < mark_score) == high_first
end

-- Returns how many members do not come after the mark, which may be gone by now.
local function begin(mark_score, mark_id)
  if mark_id == '' then
    return 0
  end
  local from, to = 0, call('ZCARD', set)
  while from < to do
    local middle = math.floor((from + to) / 2)
    local member = range(middle, middle)
    if comes_after(tonumber(member[2]), member[1], mark_score, mark_id) then
      to = middle
    else
      from = middle + 1
    end
  end
  return from
end

-- The values of an error, without the names and signs around them.
local function words_of(error)
  local fine, decoded = pcall(cjson.decode, error)
  if not fine or type(decoded) ~= 'table' then
    return error
  end
  local words = {}
  for _, value in pairs(decoded) do
    words[#words + 1] = tostring(value)
  end
  return table.concat(words, '\n')
end

local passes = {
  holds = function(held, value, field)
    return string.find(string.lower(field == 'error' and words_of(held) or held), value, 1, true)
  end,
  is = function(held, value)
    return held == value
  end,
  has_line = function(held, value)
    -- Most do not hold it at all; that is quicker to find out.
    return string.find(held, value, 1, true)
      and string.find('\n' .. held .. '\n', '\n' .. value .. '\n', 1, true)
  end,
}

-- Whether a job passes; the values of its fields begin in `held` behind `offset`.
local function passed(held, offset)
  for t = 1, #tests do
    local how, value, numbers = tests[t][1], tests[t][2], tests[t][3]
    local any = false
    for n = 1, #numbers do
      local field = held[offset + numbers[n]]
      any = any or field and passes[how](field, value, fields[numbers[n]])
    end
    if not any then
      return false
    end
  end
  return true
end

local function pick()
  local picked = {}
  for a = 8, #ARGV do
    local job = P .. 'job:' .. ARGV[a]
    local where = call('HMGET', job, 'queue', 'state')
    local score = where[1] and where[2] and call('ZSCORE', of(where[1], where[2]), ARGV[a])
    if score and passed(#fields > 0 and call('HMGET', job, unpack(fields)) or {}, 0) then
      picked[#picked + 1] = { ARGV[a], score, where[1], where[2] }
    end
  end
  return picked
end

-- Returns the ranks of those that pass, up to as many as are wanted, and how many were read.
local function search(first)
  -- One SORT reads the fields of all of them, in a fraction of the time of one HMGET for each.
  local query = { set, 'BY', 'nosort', 'LIMIT', first, most, high_first and 'DESC' or 'ASC' }
  for _, field in ipairs(fields) do
    query[#query + 1] = 'GET'
    query[#query + 1] = P .. 'job:*->' .. field
  end
  local held = call('SORT_RO', unpack(query))
  local ranks, read = {}, #held / #fields
  for r = 1, read do
    if passed(held, (r - 1) * #fields) then
      ranks[#ranks + 1] = first + r - 1
      if #ranks == wanted then
        return ranks, r
      end
    end
  end
  return ranks, read
end

local function walk()
  local first, found, read = begin(tonumber(ARGV[3]), ARGV[4]), {}, 0
  if #tests == 0 then
    most = math.min(most, wanted)
    found = range(first, first + most - 1)
    read = #found / 2
  else
    local ranks
    ranks, read = search(first)
    for _, rank in ipairs(ranks) do
      local member = range(rank, rank)
      found[#found + 1] = member[1]
      found[#found + 1] = member[2]
    end
  end
  if read == 0 then
    return { 1, ARGV[3], ARGV[4], found }
  end
  local last = range(first + read - 1, first + read - 1)
  return { first + read >= call('ZCARD', set) and 1 or 0, last[2], last[1], found }
end

if ARGV[1] == '' then
  return pick()
end
return walk()
