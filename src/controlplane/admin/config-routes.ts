import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { formatIssue, type Issue } from "../../core/issue.ts";
import { counted } from "../../kit/counted.ts";
import { AdminError } from "./admin-error.ts";
import { json, orFailure } from "./schemas.ts";
import type { ControlView } from "./view.ts";

const issue = z
  .object({
    severity: z.enum(["error", "warning"]),
    at: z.object({
      source: z.string(),
      line: z.number().optional(),
      column: z.number().optional(),
      path: z.string(),
    }),
    says: z.string(),
    try: z.string().optional(),
    text: z.string().openapi({ description: "all of it in one line" }),
  })
  .openapi("Issue");

const applied = z.object({
  revision: z.number(),
  isSaved: z.boolean().openapi({ description: "it is in the file as well" }),
  issues: z.array(issue).openapi({ description: "warnings" }),
});

const refused = z.object({
  error: z.object({ code: z.string(), message: z.string() }),
  issues: z.array(issue),
});

const submitRoute = createRoute({
  method: "post",
  path: "/api/config",
  summary: "Put a whole configuration (YAML or JSON) into force, until the files change",
  request: {
    query: z.strictObject({
      write: z
        .enum(["true", "false"])
        .default("false")
        .openapi({ description: "write it to the file as well, if the configuration comes from a single one" }),
    }),
    headers: z.object({
      "if-match": z
        .string()
        .regex(/^(\*|"?\d{1,15}"?)$/, { message: 'write a revision, such as "3"' })
        .optional()
        .openapi({ description: "the revision that has to be in force (412)" }),
    }),
  },
  responses: {
    200: json(applied, "It is in force"),
    422: json(refused, "It has errors, and nothing has changed"),
    ...orFailure,
  },
});

/** Configurations that are sent instead of written to a file. */
export function addConfigRoutes(app: OpenAPIHono, view: ControlView): void {
  app.openapi(submitRoute, async (context) => {
    const ifMatch = context.req.valid("header")["if-match"]?.replaceAll('"', "");
    const result = await view.reconciler.submit({
      text: decode(await context.req.arrayBuffer()),
      ...(ifMatch === undefined || ifMatch === "*" ? {} : { ifRevision: Number(ifMatch) }),
      mayWrite: context.req.valid("query").write === "true",
    });
    switch (result.kind) {
      case "applied": {
        const { revision, isSaved } = result;
        const answer = { revision, isSaved, issues: result.issues.map(inFull) };
        return context.json(answer, 200, { etag: `"${revision}"` });
      }
      case "refused": {
        const errors = result.issues.filter(({ severity }) => severity === "error").length;
        const error = { code: "bad_configuration", message: `it has ${counted(errors, "error")}; nothing has changed` };
        return context.json({ error, issues: result.issues.map(inFull) }, 422);
      }
      case "stale":
        throw new AdminError(412, "stale_revision", `revision ${result.revision} is in force`, {
          etag: `"${result.revision}"`,
        });
      case "unwritable":
        throw new AdminError(400, "not_writable", `${result.says}; send it without write=true, or change the files`);
      case "late":
        throw new AdminError(504, "worker_timeout", "the workers have not answered; it may yet come into force");
    }
  });
}

function inFull(one: Issue) {
  return { ...one, at: { ...one.at }, text: formatIssue(one) };
}

function decode(bytes: ArrayBuffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new AdminError(400, "bad_request", "the configuration is not UTF-8");
  }
}
