"use strict";
// What makes something needs a key of its own for each try.
const withKey = (request) => {
  if (request.method === "POST" && !request.headers["Idempotency-Key"]) {
    request.headers["Idempotency-Key"] = crypto.randomUUID?.() ?? String(Math.random()).slice(2);
  }
  return request;
};
SwaggerUIBundle({
  url: "v1/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  // The token stays in this page, and is gone with it.
  persistAuthorization: false,
  validatorUrl: null,
  requestInterceptor: withKey,
});
