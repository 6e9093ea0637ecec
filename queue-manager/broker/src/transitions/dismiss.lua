-- Failures that somebody has seen: they are no problem any more. The jobs stay as they are.
-- Answers once
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2..] job ids
-- Answers dismissed how many

local dismissed = 0
for i = 2, #ARGV do dismissed = dismissed + redis.call('ZREM', key('failures'), ARGV[i]) end
if dismissed > 0 then announce_room('problems') end
return { 'dismissed', whole(dismissed) }
