-- A tab has what one job had to say, up to a message: of that nothing waits for it any more. What other jobs said stays.
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] participant   ARGV[3] client id   ARGV[4] job id   ARGV[5] number of the last message
-- Answers done

local participant, client, job, last = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local list, sizes = key('missed', participant, client), key('missing', participant)
local size = 0
for _, message in ipairs(redis.call('LRANGE', list, 0, -1)) do
  local number, header = message:match('^(%d+)\n([^\n]*)\n')
  if tonumber(number) > last then break end
  if cjson.decode(header).job == job then
    redis.call('LREM', list, 1, message)
    size = size + #message
  end
end
if redis.call('EXISTS', list) == 0 then
  redis.call('HDEL', sizes, client)
elseif size > 0 then
  redis.call('HINCRBY', sizes, client, whole(-size))
end
return { 'done' }
