-- How many exchanges run at once: a hash of workers -> "slots:until" (milliseconds of this server's clock). A worker that
-- is not heard of until then holds none any more.
--
-- KEYS  the hash
-- ARGV  limit, the worker, slots in use (they count whatever the limit), slots needed, slots wanted, for how long they hold
-- Reply slots the worker holds now (fewer than needed: no), slots of all others

local key, worker = KEYS[1], ARGV[2]
local limit, used, need, want = tonumber(ARGV[1]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local hold = tonumber(ARGV[6])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local kind = redis.call('TYPE', key).ok
if kind ~= 'hash' and kind ~= 'none' then
  redis.call('DEL', key)
end

local others = 0
local all = redis.call('HGETALL', key)
for at = 1, #all, 2 do
  local slots, till = string.match(all[at + 1], '^(%d+):(%d+)$')
  if not slots or tonumber(till) <= now then
    redis.call('HDEL', key, all[at])
  elseif all[at] ~= worker then
    others = others + tonumber(slots)
  end
end

local held = used
if need <= limit - others then
  held = math.max(used, math.min(want, limit - others))
end
if held > 0 then
  redis.call('HSET', key, worker, string.format('%d:%d', held, now + hold))
  redis.call('PEXPIRE', key, 2 * hold)
else
  redis.call('HDEL', key, worker)
end
return { held, others }
