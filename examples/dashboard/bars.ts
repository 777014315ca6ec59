/** How many bars there are; they are numbered from 1. */
export const BAR_COUNT = 8;

/** The highest value of a bar; the lowest is 0. */
export const HIGHEST = 1000;

/** A bar's new value. */
export type Change = { readonly id: number; readonly value: number };

/** Reads `?id=…&value=…`, strictly: what is not exactly one decimal number in range is a problem, said in a sentence. */
export function readChange(query: URLSearchParams): Change | { readonly problem: string } {
  const unknown = [...query.keys()].find((key) => key !== "id" && key !== "value");
  if (unknown !== undefined) return { problem: `there is no parameter ${JSON.stringify(unknown)}; use id and value` };
  const id = readNumber(query, { name: "id", lowest: 1, highest: BAR_COUNT });
  if (typeof id === "string") return { problem: id };
  const value = readNumber(query, { name: "value", lowest: 0, highest: HIGHEST });
  if (typeof value === "string") return { problem: value };
  return { id, value };
}

type Range = { readonly name: string; readonly lowest: number; readonly highest: number };

function readNumber(query: URLSearchParams, { name, lowest, highest }: Range): number | string {
  const [text, ...more] = query.getAll(name);
  const wanted = `a whole number from ${lowest} to ${highest}`;
  if (text === undefined) return `${name} is missing; give ${wanted}`;
  if (more.length > 0) return `${name} is given ${more.length + 1} times; give it once`;
  if (!/^(0|[1-9][0-9]*)$/.test(text)) return `${name} must be ${wanted}, not ${JSON.stringify(text)}`;
  const number = Number(text);
  return number >= lowest && number <= highest ? number : `${name} must be ${wanted}, not ${text}`;
}
