import type { ServerWebSocket } from "bun";
import { getOnly, jsonAnswer, pageAnswer, problemAnswer, selfContained, upgradeRequired } from "../shared/answers.ts";
import { type Environment, type Example, type Listen, pageUrl, type RunningExample } from "../shared/example.ts";
import { type Close, readClose } from "./close.ts";
import page from "./page.html" with { type: "text" };

/** The close-code tester as the command line knows it. */
export const closeCodes: Example = { name: "close-codes", defaultPort: 9900, start: serveCloseCodes };

// With this number Bun's `close` sends a Close frame without a body; without any number it would send 1000.
const NO_CODE = 1005;

/**
 * Serves the page, and at `/ws?code=&reason=` a WebSocket that is closed at once as the query asks. With the variables `TLS_CERT` and
 * `TLS_KEY`, which name files, the same on another port with TLS: a page that came over https may speak with nothing else.
 */
export function serveCloseCodes(listen: Listen, environment: Environment = {}): RunningExample {
  const { TLS_CERT: cert, TLS_KEY: key } = environment;
  const tls = cert === undefined || key === undefined ? undefined : { cert: Bun.file(cert), key: Bun.file(key) };
  const secure = tls && serve({ host: listen.host, port: 0 }, { tls });
  const server = serve(listen, { securePort: secure?.port });

  const port = server.port ?? listen.port;
  return {
    port,
    url: pageUrl({ host: listen.host, port }),
    stop() {
      server.stop(true);
      secure?.stop(true);
    },
  };
}

type More = { readonly tls?: Bun.TLSOptions; readonly securePort?: number | undefined };

function serve(listen: Listen, { tls, securePort }: More): Bun.Server<Close> {
  const html = selfContained(page);
  return Bun.serve<Close>({
    hostname: listen.host,
    port: listen.port,
    ...(tls === undefined ? {} : { tls }),
    fetch(request, server) {
      const url = new URL(request.url);
      if (request.method !== "GET") return getOnly();
      if (url.pathname === "/") return pageAnswer(html);
      if (url.pathname === "/healthz") return new Response("ok\n");
      if (url.pathname === "/api/direct")
        return jsonAnswer(200, directUrls(url, listen.host, [server.port, securePort]));
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
}

// Listening on every interface, the server is reached by the name the browser already used to come here.
function directUrls(
  asked: URL,
  host: string,
  [port = 0, securePort]: readonly [plain: number | undefined, secure: number | undefined],
): { readonly url: string; readonly secure?: string } {
  const isEverywhere = host === "0.0.0.0" || host === "::";
  const urlOf = (port: number) => (isEverywhere ? `http://${asked.hostname}:${port}/` : pageUrl({ host, port }));
  if (securePort === undefined) return { url: urlOf(port) };
  return { url: urlOf(port), secure: urlOf(securePort).replace(/^http:/, "https:") };
}
