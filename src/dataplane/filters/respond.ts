import type { Filter } from "../../core/exchange.ts";
import type { RespondSettings } from "../../core/filter-settings.ts";
import { HeaderList } from "../../core/headers.ts";
import { reasonPhrase } from "../../core/reason-phrase.ts";
import { checkField } from "./field-check.ts";

/** Answers with a fixed response, a handshake as well as a request. */
export function createRespond(settings: RespondSettings): Filter {
  const headers = new HeaderList();
  for (const field of settings.headers) {
    checkField(field);
    headers.add(field.name, field.value);
  }
  const body = settings.body === "" ? undefined : new TextEncoder().encode(settings.body);
  if (body !== undefined && !headers.has("content-type")) headers.add("Content-Type", "text/plain; charset=utf-8");
  const { status } = settings;
  // Filters before this one may change the headers of the answer, so each answer has its own.
  return async () => {
    const own = headers.clone();
    // RFC 9110 section 6.6.1: who makes an answer dates it.
    if (!own.has("date")) own.add("Date", new Date().toUTCString());
    return { kind: "response", status, reason: reasonPhrase(status), headers: own, body };
  };
}
