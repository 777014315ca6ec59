import { formatDuration } from "../kit/duration.ts";

/** A setting that two configurations say differently; `before` or `after` is undefined where it is missing. */
export type FieldChange = { readonly path: string; readonly before: unknown; readonly after: unknown };

/** What differs between two values of plain data, each difference by its path. */
export function fieldChanges(before: unknown, after: unknown, path = ""): readonly FieldChange[] {
  if (Bun.deepEquals(before, after)) return [];
  if (isMap(before) && isMap(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...keys].flatMap((key) => fieldChanges(before[key], after[key], path === "" ? key : `${path}.${key}`));
  }
  if (Array.isArray(before) && Array.isArray(after) && before.length === after.length && before.every(isMap))
    return before.flatMap((value, at) => fieldChanges(value, after[at], `${path}[${at}]`));
  return [{ path, before, after }];
}

/** `timeouts.idle: off → 30s`, in the words of the configuration. */
export function formatFieldChange({ path, before, after }: FieldChange): string {
  const isTime = path.endsWith("Ms");
  const name = isTime ? path.slice(0, -2) : path;
  return `${name}: ${written(before, isTime ? formatTime : compact)} → ${written(after, isTime ? formatTime : compact)}`;
}

function written(value: unknown, write: (value: unknown) => string): string {
  return value === undefined ? "(nothing)" : write(value);
}

function formatTime(value: unknown): string {
  return typeof value === "number" ? formatDuration(value) : compact(value);
}

/** Longer values say no more to somebody who looks for what has changed. */
const longest = 80;

function compact(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length <= longest ? text : `${text.slice(0, longest - 1)}…`;
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
