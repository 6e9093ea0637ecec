-- A worker's link closed: nobody wakes it any more. Its lease, if it has one, runs on, and for half a minute its place
-- among those that are here: a link that drops and comes back puts nobody's job on hold. A link that was replaced leaves
-- nothing: the worker is the newer one's.
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] worker   ARGV[3] link
-- Answers left | replaced

local me = key('worker', ARGV[2])
if redis.call('HGET', me, 'link') ~= ARGV[3] then return { 'replaced' } end
redis.call('HDEL', me, 'link')
redis.call('ZREM', key('idle'), ARGV[2])
-- More than a lease ago: not heard of. Whoever counts active workers asks for the last half minute.
redis.call('ZADD', key('workers'), 'XX', now - 31000, ARGV[2])
announce_room('workers')
return { 'left' }
