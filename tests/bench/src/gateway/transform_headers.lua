function envoy_on_request(handle)
  local headers = handle:headers()
  headers:replace("x-user", "user-" .. (headers:get("x-name") or ""))
  headers:remove("x-internal")
end
