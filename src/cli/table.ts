/** A column of a table: its heading, which way it is aligned, and whether it may be cut when the terminal is narrow. */
export type Column = {
  readonly heading: string;
  readonly align?: "right";
  /** How narrow it may become, in characters; a column without it is never cut. */
  readonly least?: number;
};

const gap = 2;

/** Lines of a table not wider than `width` if cutting the columns that may be cut achieves that; 0 means any width. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[], width: number): string[] {
  const cells = [columns.map(({ heading }) => heading), ...rows];
  const wanted = columns.map((_, at) => Math.max(...cells.map((row) => [...(row[at] ?? "")].length)));
  const widths = width === 0 ? wanted : fitted(columns, wanted, width);
  return cells.map((row) =>
    columns
      .map((column, at) => cell(row[at] ?? "", widths[at] ?? 0, column.align))
      .join(" ".repeat(gap))
      .trimEnd(),
  );
}

/** Takes from the widest column that may still give, one character at a time, so that columns become equally narrow. */
function fitted(columns: readonly Column[], wanted: readonly number[], width: number): number[] {
  const widths = [...wanted];
  let excess = widths.reduce((sum, one) => sum + one, 0) + gap * (columns.length - 1) - width;
  for (; excess > 0; excess--) {
    const widest = widestThatGives(columns, widths);
    if (widest === undefined) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

function widestThatGives(columns: readonly Column[], widths: readonly number[]): number | undefined {
  let widest: number | undefined;
  for (const [at, { least }] of columns.entries()) {
    const own = widths[at] ?? 0;
    if (least === undefined || own <= least) continue;
    if (widest === undefined || own > (widths[widest] ?? 0)) widest = at;
  }
  return widest;
}

function cell(text: string, width: number, align: "right" | undefined): string {
  const characters = [...text];
  const shown = characters.length > width ? `${characters.slice(0, Math.max(0, width - 1)).join("")}…` : text;
  const padding = " ".repeat(Math.max(0, width - Math.min(characters.length, width)));
  return align === "right" ? padding + shown : shown + padding;
}
