/** A column of a table: its heading, which way it is aligned, and what becomes of it when the terminal is narrow. */
export type Column = {
  readonly heading: string;
  readonly align?: "right";
  /** How narrow it may become, in characters; a column without it is never cut. */
  readonly least?: number;
  /** Cut at its beginning, because its end says more. */
  readonly cut?: "start";
  /** Left out before any other is cut. */
  readonly isSpare?: true;
};

const gap = 2;

/** Lines of a table not wider than `width` if leaving out and cutting columns achieves that; 0 means any width. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[], width: number): string[] {
  const whole = columns.map((column, at) => ({ column, at, width: widthOf(column, at, rows) }));
  const excess = width === 0 ? 0 : total(whole) - width;
  const kept = excess > 0 ? whole.filter(({ column }) => !column.isSpare) : whole;
  if (width > 0) fit(kept, width);
  const line = (row: readonly string[]): string =>
    kept
      .map(({ column, at, width }) => cell(row[at] ?? "", width, column))
      .join(" ".repeat(gap))
      .trimEnd();
  return [columns.map(({ heading }) => heading), ...rows].map(line);
}

/** A column on its way to the screen: which it is, and how wide it is to be. */
type Fitting = { readonly column: Column; readonly at: number; width: number };

function widthOf(column: Column, at: number, rows: readonly (readonly string[])[]): number {
  return rows.reduce((widest, row) => Math.max(widest, [...(row[at] ?? "")].length), column.heading.length);
}

function total(fittings: readonly Fitting[]): number {
  return fittings.reduce((sum, { width }) => sum + width, 0) + gap * (fittings.length - 1);
}

/** Takes from the widest column that may still give, one character at a time, so that columns become equally narrow. */
function fit(fittings: readonly Fitting[], width: number): void {
  for (let excess = total(fittings) - width; excess > 0; excess--) {
    const widest = widestThatGives(fittings);
    if (widest === undefined) return;
    widest.width--;
  }
}

function widestThatGives(fittings: readonly Fitting[]): Fitting | undefined {
  let widest: Fitting | undefined;
  for (const fitting of fittings) {
    const { least } = fitting.column;
    if (least === undefined || fitting.width <= least) continue;
    if (widest === undefined || fitting.width > widest.width) widest = fitting;
  }
  return widest;
}

function cell(text: string, width: number, { align, cut }: Column): string {
  const characters = [...text];
  const shown = characters.length > width ? shortened(characters, width, cut) : text;
  const padding = " ".repeat(Math.max(0, width - Math.min(characters.length, width)));
  return align === "right" ? padding + shown : shown + padding;
}

function shortened(characters: readonly string[], width: number, cut: Column["cut"]): string {
  const left = Math.max(0, width - 1);
  return cut === "start"
    ? `…${characters.slice(characters.length - left).join("")}`
    : `${characters.slice(0, left).join("")}…`;
}
