import { RedisClient } from "bun";
import { within } from "../kit/sleep.ts";

/** A Redis that answers, or none: `asked` is where it was looked for, without user and password. */
export type FoundRedis = { readonly asked: string; readonly url: string | undefined };

const DEADLINE_MS = 300;

/** Looks for a Redis at `REDIS_URL`, or at 127.0.0.1:6379 without it, for at most 0.3 s. */
export async function findRedis(environment: Readonly<Record<string, string | undefined>>): Promise<FoundRedis> {
  const url = environment.REDIS_URL || "redis://127.0.0.1:6379";
  const asked = URL.parse(url)?.host || "REDIS_URL";
  const isThere = await answers(url);
  return { asked, url: isThere ? url : undefined };
}

async function answers(url: string): Promise<boolean> {
  try {
    const client = new RedisClient(url, { autoReconnect: false, connectionTimeout: DEADLINE_MS });
    const pong = client.ping().then(
      () => true,
      () => false,
    );
    const isThere = await within(pong, DEADLINE_MS, false);
    client.close();
    return isThere;
  } catch {
    return false;
  }
}
