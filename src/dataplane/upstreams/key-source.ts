import type { KeySource } from "../../core/balance-settings.ts";
import { cookieValue } from "../../core/cookies.ts";
import type { Exchange } from "../../core/exchange.ts";
import { queryValues } from "../../core/query.ts";
import { jwtClaim } from "./jwt-claim.ts";

/** What of an exchange can tell who asks. */
export type Asker = Pick<Exchange, "head" | "headers" | "client">;

/** Finds the key of an exchange; undefined if it has none, or an empty one. */
export type KeyFinder = (asker: Asker) => string | undefined;

/** A finder for what the configuration names. */
export function createKeyFinder(source: KeySource): KeyFinder {
  const find = findIn(source);
  return (asker) => find(asker) || undefined;
}

function findIn(source: KeySource): KeyFinder {
  switch (source.from) {
    case "client-address":
      return ({ client }) => client.address;
    case "path":
      return ({ head }) => head.path;
    case "header":
      return ({ headers }) => headers.get(source.name);
    case "cookie":
      return ({ headers }) => cookieValue(headers, source.name);
    case "query":
      return ({ head }) => queryValues(head.query, source.name)[0];
    case "claim": {
      const findToken = findIn(source.token);
      return (asker) => jwtClaim(findToken(asker) ?? "", source.name);
    }
  }
}
