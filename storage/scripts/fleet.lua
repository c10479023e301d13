-- Who serves: a sorted set of workers by the moment of their last heartbeat, in milliseconds of this server's clock.
--
-- KEYS  the set
-- ARGV  the worker, 'stay' or 'leave', for how long a heartbeat counts
-- Reply how many there are, 1 if this worker was among them before

local key, worker = KEYS[1], ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local kind = redis.call('TYPE', key).ok
if kind ~= 'zset' and kind ~= 'none' then
  redis.call('DEL', key)
end
redis.call('ZREMRANGEBYSCORE', key, '-inf', now - tonumber(ARGV[3]))
local known = redis.call('ZSCORE', key, worker) and 1 or 0
if ARGV[2] == 'stay' then
  redis.call('ZADD', key, now, worker)
  redis.call('PEXPIRE', key, tonumber(ARGV[3]))
else
  redis.call('ZREM', key, worker)
end
return { redis.call('ZCARD', key), known }
