-- Moves the end of a lease to one lease from now. The first one says that the worker has the job.
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] worker   ARGV[3] job id   ARGV[4] token   ARGV[5] lease ms
-- Answers renewed | stopping | lost

local job = read_job(ARGV[3])
if standing(job, ARGV[2], ARGV[4]) ~= 'holder' then return { 'lost' } end
redis.call('ZADD', key('leases'), 'XX', now + tonumber(ARGV[5]), job.participant .. '/' .. ARGV[3])
if job.taken ~= ARGV[4] then redis.call('HSET', key('job', ARGV[3]), 'taken', ARGV[4]) end
if job.reason == 'stopping' then return { 'stopping' } end
return { 'renewed' }
