import type { RequestHead } from "../../core/exchange.ts";
import { queryValues } from "../../core/query.ts";
import type { RouteMatch, ValueMatch } from "../../core/snapshot.ts";
import { compileRegex } from "../../kit/regex.ts";

/** What a request must fulfil beside host and path. A WebSocket handshake has the method GET. */
export type Condition = (head: RequestHead, method: string) => boolean;

/** The method, header and query conditions of a route, cheapest first; their number tells which route is more specific. */
export function compileConditions(match: RouteMatch): readonly Condition[] {
  const { methods, headers, query } = match;
  return [
    ...(methods.length === 0 ? [] : [(_: RequestHead, method: string) => methods.includes(method)]),
    ...headers.map(compileHeader),
    ...query.map(compileQuery),
  ];
}

function compileHeader(condition: ValueMatch): Condition {
  const key = condition.name.toLowerCase();
  const accepts = compileTest(condition.test);
  return (head) => accepts(head.headers.all(key));
}

function compileQuery(condition: ValueMatch): Condition {
  const accepts = compileTest(condition.test);
  return (head) => accepts(queryValues(head.query, condition.name));
}

/** Of several values one that fits is enough. */
function compileTest(test: ValueMatch["test"]): (values: readonly string[]) => boolean {
  switch (test.kind) {
    case "present":
      return (values) => values.length > 0;
    case "absent":
      return (values) => values.length === 0;
    case "exact":
      return (values) => values.includes(test.value);
    case "regex": {
      const regex = compileRegex(test.value);
      return (values) => values.some((value) => regex.matches(value));
    }
  }
}
