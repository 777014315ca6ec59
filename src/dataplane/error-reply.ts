import type { GatewayError } from "../core/errors.ts";
import type { ResponseReply } from "../core/exchange.ts";
import { HeaderList } from "../core/headers.ts";
import { reasonPhrase } from "../core/reason-phrase.ts";

/** The one place where an error becomes an answer: HTML for those who ask for it before JSON, JSON for everybody else. */
export function errorReply(error: GatewayError, about: { requestId: string; accept: string }): ResponseReply {
  const { status, code, message } = error;
  const isHtml = prefersHtml(about.accept);
  const text = isHtml
    ? htmlPage(error, about.requestId)
    : `${JSON.stringify({ error: { code, message, requestId: about.requestId } })}\n`;
  const headers = HeaderList.from([
    ["Content-Type", isHtml ? "text/html; charset=utf-8" : "application/json"],
    ["Cache-Control", "no-store"],
    ["X-Request-Id", about.requestId],
    ["Date", new Date().toUTCString()],
  ]);
  for (const [name, value] of error.headers ?? []) headers.set(name, value);
  return { kind: "response", status, reason: reasonPhrase(status), headers, body: Buffer.from(text) };
}

/** A browser names text/html; a program names JSON, or anything. */
function prefersHtml(accept: string): boolean {
  const html = accept.indexOf("text/html");
  const json = accept.indexOf("application/json");
  return html >= 0 && (json < 0 || html < json);
}

function htmlPage(error: GatewayError, requestId: string): string {
  const title = `${error.status} ${reasonPhrase(error.status)}`;
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:15vh auto;padding:0 1rem;color-scheme:light dark}code{opacity:.7}</style>
<h1>${title}</h1><p>${escapeHtml(error.message)}</p><p><code>${error.code} · ${escapeHtml(requestId)}</code></p></html>
`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
