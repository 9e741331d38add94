// A small service: it answers /health and nothing else.
"use strict";
const { createServer } = require("node:http");

const server = createServer((request, response) => {
  const found = request.url === "/health";
  response.writeHead(found ? 200 : 404, { "Content-Type": "text/plain" });
  response.end(found ? "ok\n" : "not found\n");
});
server.listen(8607, "127.0.0.1", () => console.log("listening on 8607"));
process.on("SIGTERM", () => server.close(() => process.exit(0)));
