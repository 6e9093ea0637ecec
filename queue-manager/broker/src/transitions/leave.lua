-- A worker's link closed: nobody wakes it any more. Its lease, if it has one, runs on, and for half a minute its place
-- among those that are here: a link that drops and comes back puts nobody's job on hold.
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] worker
-- Answers left

redis.call('ZREM', key('idle'), ARGV[2])
-- More than a lease ago: not heard of. Whoever counts active workers asks for the last half minute.
redis.call('ZADD', key('workers'), 'XX', now - 31000, ARGV[2])
announce_room('workers')
return { 'left' }
