/** A fenced block of a page. `line` is that of its first line, from 1. */
export type CodeBlock = { readonly language: string; readonly text: string; readonly line: number };

/** As much of a Markdown page as tests look at. */
export class MarkdownPage {
  readonly text: string;
  readonly blocks: readonly CodeBlock[];
  /** The text without its fenced blocks. */
  readonly prose: string;

  constructor(text: string) {
    this.text = text;
    const blocks: CodeBlock[] = [];
    this.prose = text.replace(
      /^```(\w*)\n(.*?)^```$/gms,
      (whole: string, language: string, block: string, at: number) => {
        blocks.push({ language, text: block, line: text.slice(0, at).split("\n").length + 1 });
        return whole.replace(/[^\n]/g, "");
      },
    );
    this.blocks = blocks;
  }

  /** What `#…` in a link can name: headings, in the form that GitHub gives them. */
  get anchors(): ReadonlySet<string> {
    const headings = [...this.prose.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => heading);
    return new Set(
      headings.map((heading) =>
        heading
          .toLowerCase()
          .replace(/[^\p{L}\p{N} _-]/gu, "")
          .replaceAll(" ", "-"),
      ),
    );
  }

  /** The targets of all links and pictures. */
  get links(): readonly string[] {
    return [...this.prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);
  }

  /** Everything that stands between backticks outside of blocks. */
  get code(): readonly string[] {
    return [...this.prose.matchAll(/`([^`\n]+)`/g)].map(([, code = ""]) => code);
  }

  /** The rows of all tables whose first heading is `first`, as cells. */
  rows(first: string): readonly (readonly string[])[] {
    const tables = this.prose.matchAll(/^\| .+\n\|[-| ]+\n((?:\|.*\n?)+)/gm);
    const wanted = [...tables].filter(([table]) => cellsOf(table.slice(0, table.indexOf("\n")))[0] === first);
    return wanted.flatMap(([, body = ""]) => body.trimEnd().split("\n").map(cellsOf));
  }
}

function cellsOf(row: string): string[] {
  return row
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim());
}

/** What a cell holds between backticks, one after the other. */
export function codeIn(cell: string | undefined): readonly string[] {
  return [...(cell ?? "").matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code);
}
