const hues = { dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;

/** A colour that terminals have. */
export type Hue = keyof typeof hues;

/** The text in a colour, for a terminal. */
export function paint(text: string, hue: Hue): string {
  return `\x1b[${hues[hue]}m${text}\x1b[0m`;
}

/** What peers say may hold line breaks and terminal commands; they become visible text. */
export function escapeControls(text: string): string {
  return text.replace(
    /[\x00-\x1f\x7f-\x9f\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** `12:00:01.250`, in the machine's time zone; `at` is Unix milliseconds. */
export function timeOfDay(at: number): string {
  const date = new Date(at);
  const pad = (value: number, width: number): string => String(value).padStart(width, "0");
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => pad(part, 2)).join(":");
  return `${clock}.${pad(date.getMilliseconds(), 3)}`;
}
