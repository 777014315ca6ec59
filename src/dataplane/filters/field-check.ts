import type { NameAndValue } from "../../core/filter-settings.ts";

/** Throws an Error if a header could split the message it is written into (RFC 9110 §5.1, §5.5). */
export function checkField({ name, value }: NameAndValue): void {
  checkFieldName(name);
  if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value))
    throw new Error(`the value of ${name} holds a character that no header may`);
}

/** Throws an Error if `name` is no token. */
export function checkFieldName(name: string): void {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) throw new Error(`${JSON.stringify(name)} is no header name`);
}
