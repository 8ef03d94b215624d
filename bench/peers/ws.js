// Node's `ws` as its documentation broadcasts. Usage: node ws.js PORT
// On /group everybody gets each message; on /pair/N, both of N.

"use strict";

const { WebSocketServer, WebSocket } = require("ws");

const circles = new Map(); // of connections, by path

function circleAt(path) {
  if (!circles.has(path)) circles.set(path, new Set());
  return circles.get(path);
}

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: Number(process.argv[2]),
  backlog: 4096,
  perMessageDeflate: false,
});

server.on("connection", (connection, request) => {
  const circle = circleAt(request.url);
  circle.add(connection);
  connection.on("message", (data, binary) => {
    for (const member of circle) {
      if (member.readyState === WebSocket.OPEN) member.send(data, { binary });
    }
  });
  connection.on("close", () => circle.delete(connection));
  connection.on("error", () => connection.terminate());
});
