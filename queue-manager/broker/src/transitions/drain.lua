-- A worker is to claim nothing more (drain), may claim again (resume), or is not to be listed any more (forget).
-- With workers turns places presence
-- Answers once
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] worker   ARGV[3] drain | resume | forget
-- Answers done | busy job | here (to forget: it was heard of within a lease) | unknown

local worker, what = ARGV[2], ARGV[3]
local me = key('worker', worker)
if not redis.call('ZSCORE', key('workers'), worker) then return { 'unknown' } end
local about = redis.call('HMGET', me, 'job', 'object_info')
if what == 'forget' then
  if about[1] then return { 'busy', about[1] } end
  if tonumber(redis.call('ZSCORE', key('workers'), worker)) > now - 30000 then return { 'here' } end
  redis.call('ZREM', key('workers'), worker)
  redis.call('DEL', me)
end
if what == 'resume' then
  redis.call('HDEL', me, 'draining')
  if about[2] then arrive(worker, about[2]) end
else
  if what == 'drain' then redis.call('HSET', me, 'draining', '1') end
  redis.call('ZREM', key('idle'), worker)
  go({ worker })
end
redis.call('PUBLISH', key('workers'), cjson.encode({ [what] = worker }))
return { 'done' }
