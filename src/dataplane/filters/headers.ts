import type { Body } from "../../core/body.ts";
import type { Exchange, Filter, Next, Reply } from "../../core/exchange.ts";
import type { HeaderChanges, HeadersSettings } from "../../core/filter-settings.ts";
import type { HeaderList } from "../../core/headers.ts";
import { checkField, checkFieldName } from "./field-check.ts";

/**
 * Changes the headers on their way upstream, and those of whatever answer comes back: the client's 101 included, and what the gateway
 * itself answers to a failure behind this filter.
 */
export function createHeaders(settings: HeadersSettings): Filter {
  for (const changes of [settings.request, settings.response]) {
    for (const field of [...changes.set, ...changes.add]) checkField(field);
    for (const name of changes.remove) checkFieldName(name);
  }
  const request = changedNames(settings.request);
  const response = changedNames(settings.response);
  return async (exchange, next) => {
    applyChanges(settings.request, exchange.headers);
    withholdTrailers(request, exchange.body);
    const reply = await answerOf(exchange, next);
    applyChanges(settings.response, reply.headers);
    if (reply.kind === "response") withholdTrailers(response, reply.body);
    return reply;
  };
}

async function answerOf(exchange: Exchange, next: Next): Promise<Reply> {
  try {
    return await next(exchange);
  } catch (thrown) {
    return exchange.refuse(thrown);
  }
}

function changedNames({ set, add, remove }: HeaderChanges): readonly string[] {
  return [...[...set, ...add].map(({ name }) => name), ...remove];
}

/** What the route says of a field cannot be taken back behind the content. */
function withholdTrailers(names: readonly string[], body: Body | undefined): void {
  if (body === undefined || body instanceof Uint8Array) return;
  for (const name of names) body.withhold(name);
}

function applyChanges(changes: HeaderChanges, headers: HeaderList): void {
  for (const name of changes.remove) headers.delete(name);
  for (const { name, value } of changes.set) headers.set(name, value);
  for (const { name, value } of changes.add) headers.add(name, value);
}
