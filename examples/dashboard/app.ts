import type { ServerWebSocket } from "bun";
import { getOnly, jsonAnswer, pageAnswer, problemAnswer, selfContained, upgradeRequired } from "../shared/answers.ts";
import { type Example, type Listen, pageUrl, type RunningExample } from "../shared/example.ts";
import { readChange } from "./bars.ts";
import page from "./page.html" with { type: "text" };

/** The dashboard as the command line knows it. */
export const dashboard: Example = { name: "dashboard", defaultPort: 8888, start: serveDashboard };

const START = [300, 520, 410, 760, 640, 880, 450, 180];

/** Serves the page, `GET /api?id=1..8&value=0..1000`, and the WebSocket at `/ws` that tells every browser of each change. */
export function serveDashboard(listen: Listen): RunningExample {
  const html = selfContained(page);
  const bars = [...START];
  const sockets = new Set<ServerWebSocket<undefined>>();
  const tellAll = (message: unknown) => {
    const text = JSON.stringify(message);
    for (const socket of sockets) socket.send(text);
  };

  const change = (query: URLSearchParams): Response => {
    const change = readChange(query);
    if ("problem" in change) return problemAnswer(400, change.problem);
    bars[change.id - 1] = change.value;
    tellAll({ type: "bar", ...change });
    return jsonAnswer(200, { ...change, browsers: sockets.size });
  };

  const server = Bun.serve({
    hostname: listen.host,
    port: listen.port,
    fetch(request, server) {
      const url = new URL(request.url);
      if (request.method !== "GET") return getOnly();
      if (url.pathname === "/") return pageAnswer(html);
      if (url.pathname === "/api") return change(url.searchParams);
      if (url.pathname === "/healthz") return new Response("ok\n");
      if (url.pathname !== "/ws") return problemAnswer(404, "there is nothing here; the page is at /");
      return server.upgrade(request) ? undefined : upgradeRequired();
    },
    websocket: {
      maxPayloadLength: 1024,
      backpressureLimit: 1024 * 1024,
      closeOnBackpressureLimit: true,
      open(socket: ServerWebSocket<undefined>) {
        sockets.add(socket);
        socket.send(JSON.stringify({ type: "state", bars }));
        tellAll({ type: "browsers", count: sockets.size });
      },
      message() {
        // A browser has nothing to say here.
      },
      close(socket) {
        sockets.delete(socket);
        tellAll({ type: "browsers", count: sockets.size });
      },
    },
  });

  const port = server.port ?? listen.port;
  return {
    port,
    url: pageUrl({ host: listen.host, port }),
    stop() {
      for (const socket of sockets) socket.close(1001, "the server is going away");
      server.stop(true);
    },
  };
}
