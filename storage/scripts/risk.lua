-- A score that falls to half within a half-life: a hash of `score` and `at`, the moment (ms) for which it holds.
--
-- KEYS  the scores
-- ARGV  half-life (ms), the highest score, then what is added to each
-- Reply for each key the score now, in thousandths

local half, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local scores = {}
for number, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'hash' and kind ~= 'none' then
    redis.call('DEL', key)
  end
  local state = redis.call('HMGET', key, 'score', 'at')
  local score, at = tonumber(state[1]) or 0, tonumber(state[2]) or now
  score = score * 0.5 ^ (math.max(0, now - at) / half)
  local more = tonumber(ARGV[2 + number])
  if more > 0 then
    score = math.min(most, score + more)
    redis.call('HSET', key, 'score', string.format('%.6f', score), 'at', string.format('%d', now))
    redis.call('PEXPIRE', key, math.ceil(12 * half))
  end
  scores[number] = math.floor(score * 1000 + 0.5)
end
return scores
