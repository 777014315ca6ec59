import { HeaderList } from "./headers.ts";

/** The field that says in how many whole seconds it is worth coming again (RFC 9110 §10.2.3). */
export function retryAfter(seconds: number): HeaderList {
  return HeaderList.from([["Retry-After", String(seconds)]]);
}

/** The same where nobody knows: one to `most` seconds at random, so that those who were turned away do not come back all at once. */
export function retryAtRandom(most: number): HeaderList {
  return retryAfter(1 + Math.floor(Math.random() * most));
}
