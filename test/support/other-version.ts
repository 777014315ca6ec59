import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** What is different in a version: in a file of the project, this text in the place of that. */
export type Edit = { readonly file: string; readonly from: string; readonly to: string };

/** A whole copy of this project, with edits: another version of the program, which runs beside this one. */
export class OtherVersion implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "causeway-test-"));

  constructor(edits: readonly Edit[]) {
    for (const part of ["src", "examples", "scripts", "bin", "package.json", "tsconfig.json"])
      cpSync(join(root, part), join(this.#folder, part), { recursive: true, verbatimSymlinks: true });
    symlinkSync(join(root, "node_modules"), join(this.#folder, "node_modules"));
    for (const { file, from, to } of edits) this.#edit(join(this.#folder, file), from, to);
  }

  /** The program as it runs from its checkout. */
  get program(): string {
    return join(this.#folder, "bin/causeway");
  }

  /** Builds the single executable, and returns its path. */
  async build(): Promise<string> {
    const executable = join(this.#folder, "executable");
    const command = [process.execPath, join(this.#folder, "scripts/build.ts"), executable];
    const child = Bun.spawn(command, { cwd: this.#folder, stdio: ["ignore", "ignore", "inherit"] });
    if ((await child.exited) !== 0) throw new Error("the executable could not be built");
    chmodSync(executable, 0o755);
    return executable;
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #edit(path: string, from: string, to: string): void {
    const before = readFileSync(path, "utf8");
    if (!before.includes(from)) throw new Error(`${path} does not say ${from}`);
    writeFileSync(path, before.replace(from, to));
  }
}
