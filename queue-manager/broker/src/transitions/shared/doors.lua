-- Everybody who must prove anew who they are.

-- Ends every session of an account, but one where one is named. Its tokens and its link are of an earlier generation then.
-- Whoever holds sockets of the account closes them; those of a session that stays come back.
local function sign_out(account, but)
  local role = redis.call('HGET', key('account', account), 'role')
  redis.call('ZREM', key('signing-out'), account)
  if not role then return false end
  local generation = redis.call('HINCRBY', key('account', account), 'generation', 1)
  local listed = redis.call('HGETALL', key('sessions', account))
  for i = 1, #listed, 2 do
    local session = key('session', listed[i + 1])
    if listed[i + 1] == but and redis.call('EXISTS', session) == 1 then
      redis.call('HSET', session, 'generation', whole(generation))
    else
      redis.call('DEL', session)
      redis.call('HDEL', key('sessions', account), listed[i])
    end
  end
  redis.call('PUBLISH', key('doors'), cjson.encode({ signed_out = account, role = role }))
  return true
end
