import { createPrivateKey, X509Certificate } from "node:crypto";
import { accessSync, constants, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { IssuedPair } from "../../kit/issue-certificate.ts";
import { AccountKey } from "./account-key.ts";

/** When a certificate begins and ends to be valid: Unix milliseconds. */
export type Period = { readonly from: number; readonly until: number };

const accountFile = "account.key";

/** Makes a folder that only this user can enter, unless it is there. Throws if nothing can be written into it. */
export function makeWritable(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  accessSync(folder, constants.W_OK);
}

/** The key of the account that is kept in a folder; a new one, which is kept from now on, if there is none. */
export function accountKeyIn(folder: string): AccountKey {
  const path = join(folder, accountFile);
  try {
    return AccountKey.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (!isMissing(error)) throw new Error(`${path} is no account key: ${textOf(error)}`, { cause: error });
  }
  const key = AccountKey.generate();
  writeSecret(path, key.toPem());
  return key;
}

/** Keeps a certificate with its key, all of it or nothing. */
export function keepPair(path: string, { cert, key }: IssuedPair): void {
  writeSecret(path, key + cert);
}

/** When the certificate in a file is valid; undefined if there is none with its key. */
export function periodOf(path: string): Period | undefined {
  try {
    const text = readFileSync(path, "utf8");
    const leaf = new X509Certificate(text.slice(text.indexOf("-----BEGIN CERTIFICATE-----")));
    if (!leaf.checkPrivateKey(createPrivateKey(text))) return undefined;
    return { from: Date.parse(leaf.validFrom), until: Date.parse(leaf.validTo) };
  } catch {
    return undefined;
  }
}

/** Only this user may read it, and nobody ever reads half of it. */
function writeSecret(path: string, text: string): void {
  const fresh = `${path}.${process.pid}`;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  rmSync(fresh, { force: true });
  writeFileSync(fresh, text, { mode: 0o600, flag: "wx", flush: true });
  renameSync(fresh, path);
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
