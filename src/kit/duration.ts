/** The longest duration that is read, in milliseconds: 24 days, because a timer of the platform holds no more than 2^31 - 1. */
export const maxDurationMs = 24 * 86_400_000;

const unitMs: ReadonlyMap<string, number> = new Map([
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
]);

/** Reads `30s`, `250ms`, `1h30m` or `off` (0) as milliseconds; undefined if it is none, or no whole number of milliseconds. */
export function parseDuration(text: string): number | undefined {
  if (text === "off") return 0;
  if (!/^(\d{1,9}(\.\d{1,3})?(ms|s|m|h|d))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/([\d.]+)(ms|s|m|h|d)/g)) {
    total += Number(amount) * (unitMs.get(unit ?? "") ?? Number.NaN);
  }
  const rounded = Math.round(total);
  return Math.abs(total - rounded) < 1e-6 ? rounded : undefined;
}

/** Writes milliseconds as `parseDuration` reads them: `1h30m`, `250ms`, `off` for 0. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "off";
  let text = "";
  let rest = ms;
  for (const [unit, size] of unitMs) {
    const amount = Math.floor(rest / size);
    if (amount > 0) text += `${amount}${unit}`;
    rest -= amount * size;
  }
  return text;
}
