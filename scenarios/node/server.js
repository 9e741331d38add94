// A small service: it routes, parses a query, computes a little and answers JSON, as services do.
"use strict";
const { createHash } = require("node:crypto");
const { createServer } = require("node:http");

function digest(query) {
  let data = Buffer.from(query.get("text") ?? "");
  const rounds = Math.min(Number(query.get("rounds") ?? 100), 10000);
  for (let round = 0; round < rounds; round++) data = createHash("sha256").update(data).digest();
  return { digest: data.toString("hex") };
}

const server = createServer((request, response) => {
  const url = new URL(request.url, "http://127.0.0.1");
  const answers = { "/hello": () => ({ text: "served from the box" }), "/digest": () => digest(url.searchParams) };
  const answer = answers[url.pathname];
  const body = answer ? JSON.stringify(answer()) : "";
  response.writeHead(answer ? 200 : 404, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) });
  response.end(body);
});
server.listen(8474, "127.0.0.1");
process.on("SIGTERM", () => process.exit(0));
