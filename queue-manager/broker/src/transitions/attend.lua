-- A worker is here: its description, and the time it was last heard of. With an object_info it is a kind from now on.
-- With workers turns places presence
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] worker   ARGV[3..] field, value, field, value …
-- Answers attending needs json … (waiting classes that nobody has told about its kind)

local worker = ARGV[2]
redis.call('ZADD', key('workers'), now, worker)
for i = 3, #ARGV, 2 do redis.call('HSET', key('worker', worker), ARGV[i], ARGV[i + 1]) end
local about = redis.call('HMGET', key('worker', worker), 'object_info', 'draining')
if not about[1] or about[2] == '1' then return { 'attending' } end
local known = workers_here()[worker] == about[1]
if not known then arrive(worker, about[1]) end
if known and #ARGV == 2 then return { 'attending' } end
return { 'attending', unpack(unknown_to(about[1], all_classes())) }
