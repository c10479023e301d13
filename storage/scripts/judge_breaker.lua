-- What all workers know together of one judge that fails: a hash of `failures` in a row, `open` (nobody asks until
-- then) and `trial` (somebody tries until then). Times are milliseconds of this server's clock.
--
-- KEYS  the judge
-- ARGV  look | try, how long | fail, threshold, recovery | ok
-- Reply look, fail: how long nobody asks; try: 1 if the trial is the caller's; ok: 0

local key, what = KEYS[1], ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local kind = redis.call('TYPE', key).ok
if kind ~= 'hash' and kind ~= 'none' then
  redis.call('DEL', key)
end
local state = redis.call('HMGET', key, 'failures', 'open', 'trial')
local failures, open, trial = tonumber(state[1]) or 0, tonumber(state[2]) or 0, tonumber(state[3]) or 0
local left = math.max(0, open - now)

if what == 'look' then
  return left
end

if what == 'try' then
  if trial > now then
    return 0
  end
  redis.call('HSET', key, 'trial', now + tonumber(ARGV[2]))
  redis.call('PEXPIRE', key, math.max(60000, 2 * tonumber(ARGV[2])))
  return 1
end

if what == 'fail' then
  if left > 0 then
    return left
  end
  local threshold, recovery = tonumber(ARGV[2]), tonumber(ARGV[3])
  failures = failures + 1
  -- It was open before: this was the trial, and one failure of that is enough.
  if failures >= threshold or open > 0 then
    redis.call('HSET', key, 'failures', 0, 'open', now + recovery, 'trial', 0)
    left = recovery
  else
    redis.call('HSET', key, 'failures', failures)
  end
  redis.call('PEXPIRE', key, math.max(60000, 4 * recovery))
  return left
end

-- Late news of a call that began before it was opened change nothing.
if left == 0 then
  redis.call('DEL', key)
end
return 0
