-- Everybody who must prove anew who they are.

-- A session of an earlier generation is over; whoever holds sockets of them closes those.
local function sign_out(account)
  local role = redis.call('HGET', key('account', account), 'role')
  redis.call('ZREM', key('signing-out'), account)
  if not role then return false end
  redis.call('HINCRBY', key('account', account), 'generation', 1)
  redis.call('PUBLISH', key('doors'), cjson.encode({ signed_out = account, role = role }))
  return true
end
