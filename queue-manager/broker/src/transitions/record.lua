-- Appends to a journal of the workshop: what was done (audit), or what the instructor said (messages).
-- Answers once
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] audit | messages   ARGV[3] entry as JSON   ARGV[4] entries to keep
-- ARGV[5] for a message: whom it is for, '' for everybody
-- Answers recorded id at

local id = whole(redis.call('INCR', key('seq', '@' .. ARGV[2])))
redis.call('LPUSH', key(ARGV[2]), table.concat({ id, whole(now), ARGV[3] }, ' '))
redis.call('LTRIM', key(ARGV[2]), 0, tonumber(ARGV[4]) - 1)
if ARGV[2] == 'messages' then
  redis.call('PUBLISH', key('feed'), cjson.encode({ message = ARGV[3], id = id, at = whole(now), to = ARGV[5] }))
end
return { 'recorded', id, whole(now) }
