-- How far a worker is with the job it holds, for those who watch the room. Anything but the holder's word is left out.
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] worker   ARGV[3] job id   ARGV[4] token   ARGV[5] what it does, as JSON
-- Answers noted | lost

local me = key('worker', ARGV[2])
if standing(read_job(ARGV[3]), ARGV[2], ARGV[4]) ~= 'holder' then return { 'lost' } end
-- The same step said again is no progress.
if redis.call('HGET', me, 'step') ~= ARGV[5] then redis.call('HSET', me, 'step', ARGV[5], 'stepped_at', whole(now)) end
return { 'noted' }
