-- A worker is here: its description, and the time it was last heard of. With an object_info it is a kind from now on. Of
-- several links of one worker the newest has it.
-- With workers turns places presence
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] worker   ARGV[3] link
-- ARGV[4] open (a new link, which takes the worker over) | yield (a new link, for a worker without one) | stay
-- ARGV[5..] field, value, field, value …
-- Answers attending needs json … (waiting classes that nobody has told about its kind) | draining
--   | replaced (the worker has another link; nothing was noted)

local worker, link, how = ARGV[2], ARGV[3], ARGV[4]
local me = key('worker', worker)
local other = redis.call('HGET', me, 'link')
if other and other ~= link then
  -- A link says this every 5 s; one that did not was cut off together with its queue-manager.
  local heard = tonumber(redis.call('ZSCORE', key('workers'), worker) or '0')
  if how == 'stay' or (how == 'yield' and heard > now - IDLE_FOR) then return { 'replaced' } end
end
redis.call('ZADD', key('workers'), now, worker)
redis.call('HSET', me, 'link', link)
for i = 5, #ARGV, 2 do
  redis.call('HSET', me, ARGV[i], ARGV[i + 1])
  -- A wake-up that names a worker which takes nothing would be lost.
  if ARGV[i] == 'unready' and ARGV[i + 1] ~= '' then redis.call('ZREM', key('idle'), worker) end
end
local about = redis.call('HMGET', me, 'object_info', 'draining')
if about[2] == '1' then return { 'draining' } end
if not about[1] then return { 'attending' } end
local known = workers_here()[worker] == about[1]
if not known then arrive(worker, about[1]) end
if known and #ARGV == 4 then return { 'attending' } end
return { 'attending', unpack(unknown_to(about[1], all_classes())) }
