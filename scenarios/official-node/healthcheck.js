// Ends with 0 when the service answers.
"use strict";
const { get } = require("node:http");

const request = get("http://127.0.0.1:8607/health", { timeout: 3000 }, (answer) => {
  process.exit(answer.statusCode === 200 ? 0 : 1);
});
request.on("error", () => process.exit(1));
request.on("timeout", () => process.exit(1));
