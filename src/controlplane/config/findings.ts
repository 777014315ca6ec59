import type { Issue } from "../../core/issue.ts";
import { formatPath, type Path, type Spot, spotOf, type Tree, valueSpotOf } from "./tree.ts";

/** What is wrong, and what to write instead. */
export type Problem = {
  readonly says: string;
  readonly try?: string | undefined;
  /** `error` unless told otherwise. */
  readonly severity?: Issue["severity"];
};

/** Collects everything that is wrong or doubtful in a configuration. */
export class Findings {
  readonly #issues: Issue[] = [];
  /** Paths, formatted, of errors; and those of everything around them. */
  readonly #wrong = new Set<string>();
  readonly #aroundWrong = new Set<string>();
  #errors = 0;

  get hasErrors(): boolean {
    return this.#errors > 0;
  }

  /** A problem at a spot of a text that may not have become a tree. */
  addAt(spot: Spot, path: Path, problem: Problem): void {
    const severity = problem.severity ?? "error";
    if (severity === "error") {
      this.#errors++;
      this.markWrong(path);
    }
    const at = { source: spot.source, line: spot.line, column: spot.column, path: formatPath(path) };
    this.#issues.push({ severity, at, says: problem.says, ...(problem.try === undefined ? {} : { try: problem.try }) });
  }

  /** Something was meant to be at `path`, and what is wrong with it is told elsewhere. */
  markWrong(path: Path): void {
    this.#wrong.add(formatPath(path));
    for (let steps = path.length; steps >= 0; steps--) this.#aroundWrong.add(formatPath(path.slice(0, steps)));
  }

  /** Is exactly this wrong? Then what is missing because of it needs no words of its own. */
  isWrong(path: Path): boolean {
    return this.#wrong.has(formatPath(path));
  }

  /** Is this wrong, or anything in it? */
  holdsWrong(path: Path): boolean {
    return this.#aroundWrong.has(formatPath(path));
  }

  /** A problem with the value at `path`. */
  add(root: Tree, path: Path, problem: Problem): void {
    this.addAt(valueSpotOf(root, path), path, problem);
  }

  /** A problem with the key at `path`, or with what should stand there. */
  addToKey(root: Tree, path: Path, problem: Problem): void {
    this.addAt(spotOf(root, path), path, problem);
  }

  /** Every issue in the order of the texts, from top to bottom. */
  inOrder(sources: readonly string[]): readonly Issue[] {
    const rank = new Map(sources.map((source, index) => [source, index]));
    return this.#issues.toSorted(
      (a, b) =>
        (rank.get(a.at.source) ?? 0) - (rank.get(b.at.source) ?? 0) ||
        (a.at.line ?? 0) - (b.at.line ?? 0) ||
        (a.at.column ?? 0) - (b.at.column ?? 0),
    );
  }
}
