import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { parseDuration } from "../../kit/duration.ts";
import { AdminError } from "./admin-error.ts";
import { json, orFailure } from "./schemas.ts";
import type { ControlView } from "./view.ts";

const query = z.strictObject({
  binary: z
    .string()
    .min(1)
    .max(4096)
    .optional()
    .openapi({ description: "the absolute path of the program that takes over; the one that runs unless given" }),
  linger: z
    .string()
    .refine((text) => parseDuration(text) !== undefined, { message: "write a duration such as 24h" })
    .default("24h")
    .openapi({ description: "how long a worker stays for sessions that cannot be handed over, before it drains them" }),
});

const worker = z
  .object({
    worker: z.string(),
    pid: z.number().openapi({ description: "of the process that serves now" }),
    sessions: z.number(),
    connections: z.number().openapi({ description: "those between two requests" }),
    pausedMs: z.number().openapi({ description: "how long nothing moved" }),
  })
  .openapi("UpgradedWorker");

const answer = z.object({
  items: z.array(worker),
  isControlReplaced: z.boolean().openapi({ description: "the control process is replaced right after this answer" }),
});

const upgradeRoute = createRoute({
  method: "post",
  path: "/api/upgrade",
  summary: "Hand all sessions over to new worker processes, one worker after the other",
  request: { query },
  responses: { 200: json(answer, "All workers are new"), ...orFailure },
});

/** Handing over to new processes of this program, or of another version of it. */
export function addUpgradeRoutes(app: OpenAPIHono, view: ControlView): void {
  app.openapi(upgradeRoute, async (context) => {
    const { binary, linger } = context.req.valid("query");
    const outcome = await view.upgrade({ binary, lingerMs: parseDuration(linger) ?? 0 });
    if ("problem" in outcome) throw new AdminError(outcome.isBusy ? 409 : 400, "upgrade_refused", outcome.problem);
    const items = outcome.reports.flatMap((report) => ("failed" in report ? [] : [report]));
    for (const report of outcome.reports) {
      if (!("failed" in report)) continue;
      const before =
        items.length === 0 ? "" : `; handed over already: worker ${items.map((item) => item.worker).join(", ")}`;
      throw new AdminError(
        500,
        "upgrade_failed",
        `worker ${report.worker} was not handed over: ${report.failed}${before}`,
      );
    }
    return context.json({ items, isControlReplaced: outcome.isControlReplaced }, 200);
  });
}
