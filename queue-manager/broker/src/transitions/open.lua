-- Opens the workshop on this store. A store that restarted may have lost its last second, so its numbers begin a
-- new epoch and every feed takes a new snapshot.
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] run id of the Redis process
-- ARGV[3..] setting, value … : set where nobody has set them yet
-- Answers same epoch | new epoch

for i = 3, #ARGV, 2 do redis.call('HSETNX', key('settings'), ARGV[i], ARGV[i + 1]) end
if redis.call('GET', key('epoch')) == ARGV[2] then return { 'same', ARGV[2] } end
redis.call('SET', key('epoch'), ARGV[2])
return { 'new', ARGV[2] }
