import type { ServerWebSocket } from "bun";
import { getOnly, jsonAnswer, pageAnswer, problemAnswer, selfContained, upgradeRequired } from "../shared/answers.ts";
import { type Example, type Listen, pageUrl, type RunningExample } from "../shared/example.ts";
import { type Close, readClose } from "./close.ts";
import page from "./page.html" with { type: "text" };

/** The close-code tester as the command line knows it. */
export const closeCodes: Example = { name: "close-codes", defaultPort: 9900, start: serveCloseCodes };

// With this number Bun's `close` sends a Close frame without a body; without any number it would send 1000.
const NO_CODE = 1005;

/** Serves the page, and at `/ws?code=&reason=` a WebSocket that is closed at once as the query asks. */
export function serveCloseCodes(listen: Listen): RunningExample {
  const html = selfContained(page);
  const server = Bun.serve<Close>({
    hostname: listen.host,
    port: listen.port,
    fetch(request, server) {
      const url = new URL(request.url);
      if (request.method !== "GET") return getOnly();
      if (url.pathname === "/") return pageAnswer(html);
      if (url.pathname === "/healthz") return new Response("ok\n");
      if (url.pathname === "/api/direct") return jsonAnswer(200, { url: directUrl(url, listen.host, server) });
      if (url.pathname !== "/ws") return problemAnswer(404, "there is nothing here; the page is at /");
      const close = readClose(url.searchParams);
      if ("problem" in close) return problemAnswer(400, close.problem);
      return server.upgrade(request, { data: close }) ? undefined : upgradeRequired();
    },
    websocket: {
      maxPayloadLength: 1024,
      open(socket: ServerWebSocket<Close>) {
        socket.close(socket.data.code ?? NO_CODE, socket.data.reason);
      },
      message() {
        // Whatever a browser says, the Close is already on its way.
      },
    },
  });

  const port = server.port ?? listen.port;
  return {
    port,
    url: pageUrl({ host: listen.host, port }),
    stop() {
      server.stop(true);
    },
  };
}

// Listening on every interface, the server is reached by the name the browser already used to come here.
function directUrl(asked: URL, host: string, server: { readonly port: number | undefined }): string {
  const port = server.port ?? 0;
  return host === "0.0.0.0" || host === "::" ? `http://${asked.hostname}:${port}/` : pageUrl({ host, port });
}
