-- Which job a worker would probably be lent next, and its inputs. Takes nothing.
-- With workers turns choose
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] worker
-- Answers next id inputs | none

local about = redis.call('HMGET', key('worker', ARGV[2]), 'object_info', 'draining')
if about[2] == '1' then return { 'none' } end
local best = choose(ARGV[2], about[1] or '')
if not best then return { 'none' } end
local id = head_of(best.group, best.participant).id
return { 'next', id, redis.call('GET', key('inputs', id)) or '' }
