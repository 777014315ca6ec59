/** One line of the chat; `at` is Unix milliseconds, `instance` the name of the server it was written on. */
export type Line = {
  readonly kind: "message" | "notice";
  readonly at: number;
  readonly instance: string;
  /** Who wrote it; empty for a notice. */
  readonly name: string;
  readonly text: string;
};

/** A line on its way to the other instances; `sender` tells the process that wrote it, which gets it back too. */
export type Published = { readonly sender: string; readonly line: Line };

/** What a browser asks for. */
export type Request =
  | { readonly type: "name"; readonly name: string }
  | { readonly type: "say"; readonly text: string };

/** The most characters of a name. */
export const LONGEST_NAME = 24;

/** The most characters of a message. */
export const LONGEST_TEXT = 500;

// Control characters, line separators, and the marks that turn the direction of what follows.
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u;

/** Reads a message from a browser; what is wrong with it is said in a sentence. */
export function readRequest(text: string): Request | { readonly problem: string } {
  const value = parse(text);
  if (value.type === "name") {
    const name = readWords(value.name, { what: "a name", longest: LONGEST_NAME });
    return "problem" in name ? name : { type: "name", name: name.words };
  }
  if (value.type === "say") {
    const said = readWords(value.text, { what: "a message", longest: LONGEST_TEXT });
    return "problem" in said ? said : { type: "say", text: said.words };
  }
  return { problem: 'send {"type":"name","name":"…"} or {"type":"say","text":"…"}' };
}

/** Reads what an instance has published; undefined if it is not one of ours. */
export function readPublished(text: string): Published | undefined {
  const { sender, line } = parse(text);
  if (typeof sender !== "string" || typeof line !== "object" || line === null) return undefined;
  const { kind, at, instance, name, text: words }: Readonly<Record<string, unknown>> = { ...line };
  if (kind !== "message" && kind !== "notice") return undefined;
  if (typeof at !== "number" || typeof instance !== "string" || typeof name !== "string" || typeof words !== "string")
    return undefined;
  return { sender, line: { kind, at, instance, name, text: words } };
}

type Wanted = { readonly what: string; readonly longest: number };

function readWords(
  value: unknown,
  { what, longest }: Wanted,
): { readonly words: string } | { readonly problem: string } {
  if (typeof value !== "string") return { problem: `${what} must be text` };
  const words = value.trim();
  if (words === "") return { problem: `${what} must not be empty` };
  const length = [...words].length;
  if (length > longest) return { problem: `${what} has at most ${longest} characters, and this has ${length}` };
  if (UNPRINTABLE.test(words)) return { problem: `${what} must not contain control characters` };
  return { words };
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
