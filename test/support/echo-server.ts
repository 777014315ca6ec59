// An application as a process of its own: echoes WebSocket messages, answers /healthz, and is as slow as it is asked to be.
// Arguments: the port. `POST /slow?ms=100` delays everything but that.
let delayMs = 0;

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.argv[2]),
  async fetch(request, bun) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/slow") {
      delayMs = Number(searchParams.get("ms"));
      return new Response("slow");
    }
    if (delayMs > 0) await Bun.sleep(delayMs);
    return bun.upgrade(request) ? undefined : new Response("fine");
  },
  websocket: { message: (socket, message) => void socket.send(message) },
});

console.log(server.port);
