-- Appends to a journal of the workshop: what was done (audit), or what the instructor said (messages).
-- Answers once
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] audit | messages   ARGV[3] entry as JSON   ARGV[4] entries to keep
-- ARGV[5] for a message: whom it is for, '' for everybody; for a deed: who did it with what is their own, '' for others
-- ARGV[6] of these, how many of one person to keep
-- Answers recorded id at

local journal = key(ARGV[2])
local id = whole(redis.call('INCR', key('seq', '@' .. ARGV[2])))
local line = table.concat({ id, whole(now), ARGV[3] }, ' ')
redis.call('LPUSH', journal, line)
redis.call('LTRIM', journal, 0, tonumber(ARGV[4]) - 1)
if ARGV[2] == 'messages' then
  redis.call('PUBLISH', key('feed'), cjson.encode({ message = ARGV[3], id = id, at = whole(now), to = ARGV[5] }))
elseif ARGV[5] ~= '' then
  -- Nobody fills the log with these: beyond so many the oldest makes room.
  local own = key('own-deeds', ARGV[5])
  if redis.call('LPUSH', own, line) > tonumber(ARGV[6]) then redis.call('LREM', journal, -1, redis.call('RPOP', own)) end
end
return { 'recorded', id, whole(now) }
