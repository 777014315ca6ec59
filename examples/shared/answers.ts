import liveSocket from "./live-socket.html" with { type: "text" };
import style from "./style.html" with { type: "text" };

/** Puts the shared style and script into a page's text, so that the page is one file that loads nothing else. */
export function selfContained(page: unknown): string {
  return text(page)
    .replace("<!-- style -->", () => text(style))
    .replace("<!-- live socket -->", () => text(liveSocket));
}

/** An HTML answer. */
export function pageAnswer(html: string): Response {
  return new Response(html, { headers: { "content-type": "text/html; charset=utf-8", "cache-control": "no-cache" } });
}

/** A JSON answer. */
export function jsonAnswer(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(`${JSON.stringify(body)}\n`, {
    status,
    headers: { "content-type": "application/json", "cache-control": "no-store", ...headers },
  });
}

/** A JSON answer that says what is wrong with the request. */
export function problemAnswer(status: number, says: string, headers: Readonly<Record<string, string>> = {}): Response {
  return jsonAnswer(status, { error: says }, headers);
}

/** The answer to a plain request where a WebSocket handshake was expected. */
export function upgradeRequired(): Response {
  return problemAnswer(426, "this address speaks WebSocket only", { connection: "Upgrade", upgrade: "websocket" });
}

/** The answer to a method other than GET. */
export function getOnly(): Response {
  return problemAnswer(405, "use GET", { allow: "GET" });
}

// The type checker takes an imported .html file for a bundle; with `type: "text"` it is the file's text.
function text(imported: unknown): string {
  if (typeof imported !== "string") throw new Error("a page must be imported as text");
  return imported;
}
