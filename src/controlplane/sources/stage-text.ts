import { randomUUID } from "node:crypto";
import { open, realpath, rename, stat, unlink } from "node:fs/promises";
import type { StagedText } from "../../core/configuration.ts";

/**
 * Writes a text beside a file, whose place it takes at once and whole with `commit`. A link stays a link. The file keeps its rights, and its
 * owner becomes the one who writes.
 */
export async function stageText(path: string, text: string): Promise<StagedText | { readonly problem: string }> {
  try {
    const target = await realpath(path);
    const stats = await stat(target);
    if (!stats.isFile()) return { problem: `${path} is no file` };
    const beside = `${target}.${randomUUID()}.tmp`;
    await using file = await open(beside, "wx", stats.mode & 0o777);
    await file.writeFile(text);
    await file.sync();
    return { commit: () => rename(beside, target), discard: () => unlink(beside) };
  } catch (error) {
    return { problem: `${path} cannot be written: ${error instanceof Error ? error.message : String(error)}` };
  }
}
