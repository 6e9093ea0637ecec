-- A worker's link closed: nobody wakes it any more. Its lease, if it has one, runs on.
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] worker
-- Answers left

redis.call('ZREM', key('idle'), ARGV[2])
for _, needs in ipairs(redis.call('SMEMBERS', key('runs', ARGV[2]))) do
  redis.call('SREM', key('runners', needs), ARGV[2])
end
redis.call('DEL', key('runs', ARGV[2]))
-- Two leases ago: not heard of. Whoever counts active workers asks for the last half minute.
redis.call('ZADD', key('workers'), 'XX', now - 60000, ARGV[2])
return { 'left' }
