import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { IssuedPair } from "../../src/kit/issue-certificate.ts";

/** Certificates and keys in files of a folder of their own. */
export class TlsFiles implements Disposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static make(): TlsFiles {
    return new TlsFiles(mkdtempSync(join(tmpdir(), "causeway-tls-")));
  }

  /** Writes `<name>.pem` and `<name>.key`, or replaces them, and returns their places as a configuration names them. */
  add(name: string, { cert, key }: IssuedPair): { readonly cert: string; readonly key: string } {
    return { cert: this.write(`${name}.pem`, cert), key: this.write(`${name}.key`, key) };
  }

  /** Writes a file and returns its path. */
  write(name: string, text: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, text);
    return path;
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
