-- A worker is here: its description, and the time it was last heard of.
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] worker   ARGV[3..] field, value, field, value …
-- Answers attending

redis.call('ZADD', key('workers'), now, ARGV[2])
for i = 3, #ARGV, 2 do redis.call('HSET', key('worker', ARGV[2]), ARGV[i], ARGV[i + 1]) end
return { 'attending' }
