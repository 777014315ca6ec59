import { getOnly, pageAnswer, problemAnswer, selfContained, upgradeRequired } from "../shared/answers.ts";
import { type Environment, type Example, type Listen, pageUrl, type RunningExample } from "../shared/example.ts";
import page from "./page.html" with { type: "text" };
import { type Guest, Room } from "./room.ts";

/** The chat as the command line knows it. */
export const chat: Example = { name: "chat", defaultPort: 5000, start: serveChat };

/** Serves the page and the WebSocket at `/ws`; `REDIS_URL` shares messages with other instances, `CHAT_NAME` names this one. */
export function serveChat(listen: Listen, environment: Environment): RunningExample {
  const html = selfContained(page);
  const room = Room.open({ instance: environment.CHAT_NAME || "chat", redisUrl: environment.REDIS_URL });
  const server = Bun.serve<Guest>({
    hostname: listen.host,
    port: listen.port,
    fetch(request, server) {
      const path = new URL(request.url).pathname;
      if (request.method !== "GET") return getOnly();
      if (path === "/") return pageAnswer(html);
      if (path === "/healthz") return new Response("ok\n");
      if (path !== "/ws") return problemAnswer(404, "there is nothing here; the page is at /");
      return server.upgrade(request, { data: { name: "" } }) ? undefined : upgradeRequired();
    },
    websocket: {
      maxPayloadLength: 8 * 1024,
      backpressureLimit: 1024 * 1024,
      closeOnBackpressureLimit: true,
      open: (guest) => room.enter(guest),
      message: (guest, message) => room.hear(guest, message.toString()),
      close: (guest) => room.leave(guest),
    },
  });

  const port = server.port ?? listen.port;
  return {
    port,
    url: pageUrl({ host: listen.host, port }),
    stop() {
      room.close();
      server.stop(true);
    },
  };
}
