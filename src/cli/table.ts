/** A column of a table: its heading, which way it is aligned, and what becomes of it when the terminal is narrow. */
export type Column = {
  readonly heading: string;
  readonly align?: "right";
  /** How narrow it may become, in characters; a column without it is never cut. */
  readonly least?: number;
  /** Cut at its beginning, because its end says more. */
  readonly cut?: "start" | "end";
  /** Left out before any other is cut. */
  readonly isSpare?: true;
  /** Left out where even cut columns do not fit, the lowest number first. */
  readonly leaves?: number;
};

const gap = 2;

/** Lines of a table not wider than `width` if leaving out and cutting columns achieves that; 0 means any width. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[], width: number): string[] {
  const whole = columns.map((column, at) => ({ column, at, width: widthOf(column, at, rows) }));
  const excess = width === 0 ? 0 : total(whole) - width;
  let kept: readonly Fitting[] = excess > 0 ? whole.filter(({ column }) => !column.isSpare) : whole;
  if (width > 0) {
    kept = leaveOut(kept, width);
    fit(kept, width);
  }
  const line = (cells: readonly string[]): string => cells.join(" ".repeat(gap)).trimEnd();
  return [
    line(kept.map(({ column, width }) => cell(column.heading, width, { ...column, cut: "end" }))),
    ...rows.map((row) => line(kept.map(({ column, at, width }) => cell(row[at] ?? "", width, column)))),
  ];
}

function leaveOut(fittings: readonly Fitting[], width: number): readonly Fitting[] {
  const least = fittings.map((fitting) => ({
    ...fitting,
    width: Math.min(fitting.width, fitting.column.least ?? fitting.width),
  }));
  if (total(least) <= width) return fittings;
  const next = Math.min(...fittings.map(({ column }) => column.leaves ?? Number.POSITIVE_INFINITY));
  if (next === Number.POSITIVE_INFINITY) return fittings;
  return leaveOut(
    fittings.filter(({ column }) => column.leaves !== next),
    width,
  );
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
