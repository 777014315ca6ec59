/** The application of the soak: it sends back every message and every body. */
export class Application implements Disposable {
  readonly #server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    maxRequestBodySize: 64 * 1024 * 1024,
    fetch: (request, server) => {
      if (request.headers.has("upgrade"))
        return server.upgrade(request) ? undefined : new Response("", { status: 400 });
      return request.method === "POST" ? new Response(request.body) : new Response(greeting);
    },
    websocket: {
      idleTimeout: 0,
      maxPayloadLength: 64 * 1024 * 1024,
      backpressureLimit: 64 * 1024 * 1024,
      message: (socket, message) => void socket.send(message),
    },
  });

  get port(): number {
    return this.#server.port ?? 0;
  }

  [Symbol.dispose](): void {
    void this.#server.stop(true);
  }
}

/** What it answers to a GET. */
export const greeting = "hello from the application\n";
