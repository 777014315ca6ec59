/** A plain value of JSON; null is for one that is not there. */
type Cell = unknown;

/** One member of all rows: where it stands in a row, and its value in all of them, or in each. */
type Column = { readonly path: readonly string[]; readonly all?: Cell; readonly each?: readonly Cell[] };

/** Rows of one shape, written member by member: what is the same in all rows is written once, and no name twice. */
export type Columns = { readonly rows: number; readonly columns: readonly Column[] };

/** Turns rows of plain data into columns. Members that are null or undefined count as not there, as do objects without members. */
export function toColumns(rows: readonly object[]): Columns {
  const root = new Shape();
  for (const [at, row] of rows.entries()) root.note(row, { at, rows: rows.length });
  const columns: Column[] = [];
  root.collect([], columns);
  return { rows: rows.length, columns };
}

/** The rows again, which share the objects in them that are the same in all. `Row` is what those were that went in. */
export function fromColumns<Row>({ rows, columns }: Columns): Row[] {
  const root = new Shape();
  for (const column of columns) root.take(column);
  // What comes out is what went in, which the caller knows.
  return Array.from({ length: rows }, (_, at) => ({ ...root.row(at) }) as Row);
}

/** A member of a row, and those below it. */
class Shape {
  column: Pick<Column, "all" | "each"> | undefined;
  readonly #members = new Map<string, Shape>();
  #values: Cell[] | undefined;
  /** What all rows have, if they are the same here. */
  #same: object | undefined;
  #isSame = true;

  member(name: string): Shape {
    const known = this.#members.get(name);
    if (known !== undefined) return known;
    const fresh = new Shape();
    this.#members.set(name, fresh);
    return fresh;
  }

  take(column: Column): void {
    let shape: Shape = this;
    for (const name of column.path) {
      if (column.each !== undefined) shape.#isSame = false;
      shape = shape.member(name);
    }
    shape.column = column;
  }

  note(value: Cell, row: { readonly at: number; readonly rows: number }): void {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      for (const name in value) this.member(name).note(value[name as keyof typeof value], row);
    } else if (value !== undefined) {
      this.#values ??= new Array<Cell>(row.rows).fill(null);
      this.#values[row.at] = value;
    }
  }

  collect(path: readonly string[], columns: Column[]): void {
    const values = this.#values;
    if (values !== undefined) {
      const [first] = values;
      const isSame = first !== null && values.every((value) => value === first);
      columns.push(isSame ? { path, all: first } : { path, each: values });
    }
    for (const [name, shape] of this.#members) shape.collect([...path, name], columns);
  }

  /** Undefined if nothing of it is there. */
  row(at: number): object | undefined {
    if (!this.#isSame) return this.#make(at);
    this.#same ??= this.#make(at);
    return this.#same;
  }

  #make(at: number): object | undefined {
    let row: Record<string, Cell> | undefined;
    for (const [name, shape] of this.#members) {
      const { column } = shape;
      const value = column === undefined ? shape.row(at) : column.each === undefined ? column.all : column.each[at];
      if (value === undefined || value === null) continue;
      row ??= {};
      row[name] = value;
    }
    return row;
  }
}
