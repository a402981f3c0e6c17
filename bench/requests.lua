-- One operation on one namespace, chosen by the environment: OP, TOKEN, BASE, RUN.
local op, base, run = os.getenv("OP"), os.getenv("BASE"), os.getenv("RUN")
local auth = "Bearer " .. os.getenv("TOKEN")
local count = 0

local function headers(content)
  return { ["Authorization"] = auth, ["Accept"] = "application/json", ["Content-Type"] = content }
end

local makers = {
  get = function() return wrk.format("GET", base .. "/configmaps/get-0", headers("application/json")) end,
  list = function() return wrk.format("GET", base .. "/pods", headers("application/json")) end,
  create = function()
    count = count + 1
    local body = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c-' .. run .. "-" .. count ..
      '"},"data":{"k":"' .. string.rep("x", 200) .. '"}}'
    return wrk.format("POST", base .. "/configmaps", headers("application/json"), body)
  end,
  patch = function()
    count = count + 1
    local path = base .. "/configmaps/get-" .. (count % 32)
    return wrk.format("PATCH", path, headers("application/merge-patch+json"), '{"data":{"n":"' .. count .. '"}}')
  end,
}

request = makers[op]
