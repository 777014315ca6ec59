/** Where the admin API is and how to be let in. */
export type AdminPlace = {
  readonly url: string;
  readonly token: string | undefined;
  /** How long a command waits for an answer (ms); 10 s unless given. */
  readonly answerMs?: number;
};

/** The admin API did not do what was asked; `isUsage` if the request itself was wrong. */
export class AdminFailure extends Error {
  override readonly name = "AdminFailure";
  readonly isUsage: boolean;

  constructor(message: string, isUsage: boolean) {
    super(message);
    this.isUsage = isUsage;
  }
}

/** How long a command waits for the admin API, unless it knows better. Milliseconds. */
const usualMs = 10_000;

/** The place that the options name, or else the environment, or else the usual one; throws an AdminFailure. */
export function adminPlace(given: {
  readonly admin?: string | undefined;
  readonly token?: string | undefined;
}): AdminPlace {
  const written = given.admin ?? (process.env.CAUSEWAY_ADMIN || "http://127.0.0.1:9901");
  const url = URL.parse(/^https?:\/\//i.test(written) ? written : `http://${written}`);
  if (url === null) throw new AdminFailure(`${JSON.stringify(written)} is no URL; such as http://127.0.0.1:9901`, true);
  return { url: url.origin, token: given.token ?? (process.env.CAUSEWAY_ADMIN_TOKEN || undefined) };
}

/** Asks the admin API and returns what it answers; throws an AdminFailure with words for the user. */
export async function askAdmin(
  place: AdminPlace,
  target: string,
  method: "GET" | "POST" | "DELETE" = "GET",
): Promise<unknown> {
  const headers: Record<string, string> = place.token === undefined ? {} : { authorization: `Bearer ${place.token}` };
  const { answerMs = usualMs } = place;
  let response: Response;
  let text: string;
  try {
    response = await fetch(`${place.url}${target}`, { method, headers, signal: AbortSignal.timeout(answerMs) });
    text = await response.text();
  } catch (error) {
    throw new AdminFailure(unreachable(place, error), false);
  }
  const answer = parsed(text);
  if (response.ok && answer !== undefined) return answer;
  throw new AdminFailure(refusal(response.status, answer, place), response.status === 400);
}

function unreachable({ url, answerMs = usualMs }: AdminPlace, error: unknown): string {
  if (error instanceof DOMException && error.name === "TimeoutError") {
    return `${url} did not answer within ${answerMs / 1000} s`;
  }
  return `nothing listens at ${url}; is the gateway running? --admin or CAUSEWAY_ADMIN says where its admin API is`;
}

function refusal(status: number, answer: unknown, { url, token }: AdminPlace): string {
  if (status === 401) {
    return token === undefined
      ? `${url} asks for a token: set CAUSEWAY_ADMIN_TOKEN, or use --token`
      : `${url} does not take this token`;
  }
  return messageOf(answer) ?? `${url} answered ${status}, which is not what an admin API answers`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function messageOf(answer: unknown): string | undefined {
  if (typeof answer !== "object" || answer === null || !("error" in answer)) return undefined;
  const { error } = answer;
  if (typeof error !== "object" || error === null || !("message" in error)) return undefined;
  return typeof error.message === "string" ? error.message : undefined;
}
