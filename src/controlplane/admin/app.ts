import { OpenAPIHono } from "@hono/zod-openapi";
import { AdminError, asAdminError, errorResponse } from "./admin-error.ts";
import { addConfigRoutes } from "./config-routes.ts";
import { addDrainRoutes } from "./drain-routes.ts";
import { addEndpointRoutes } from "./endpoint-routes.ts";
import { addHealthRoutes } from "./health-routes.ts";
import { addSessionRoutes } from "./session-routes.ts";
import { addStateRoutes } from "./state-routes.ts";
import { addUpgradeRoutes } from "./upgrade-routes.ts";
import type { ControlView } from "./view.ts";

const documents = ["/openapi.json", "/api/openapi.json"];

/** The admin API as a function from request to response; who may ask is checked before it. */
export function adminApp(view: ControlView): (request: Request) => Promise<Response> {
  const app = new OpenAPIHono({
    defaultHook: (result) => {
      if (!result.success) throw new AdminError(400, "bad_request", problems(result.error.issues));
    },
  });
  addHealthRoutes(app, view);
  addSessionRoutes(app, view);
  addStateRoutes(app, view);
  addConfigRoutes(app, view);
  addEndpointRoutes(app, view);
  addDrainRoutes(app, view);
  addUpgradeRoutes(app, view);
  for (const path of documents) {
    app.doc(path, { openapi: "3.0.0", info: { title: "Causeway admin API", version: view.version } });
  }
  refuseOtherMethods(app);
  app.notFound(() => errorResponse(new AdminError(404, "not_found", "there is no such page; see /openapi.json")));
  app.onError((error) => errorResponse(asAdminError(error)));
  return async (request) => app.fetch(request);
}

/** A path that exists answers 405 to methods it does not have. */
function refuseOtherMethods(app: OpenAPIHono): void {
  const methods = new Map<string, Set<string>>();
  for (const { path, method } of app.routes) {
    const known = methods.get(path) ?? new Set();
    methods.set(path, known.add(method));
    if (method === "GET") known.add("HEAD");
  }
  for (const [path, known] of methods) {
    const allow = [...known].join(", ");
    app.all(path, () =>
      errorResponse(new AdminError(405, "method_not_allowed", `this page knows ${allow}`, { allow })),
    );
  }
}

function problems(issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[]): string {
  return issues.map(({ path, message }) => (path.length === 0 ? message : `${path.join(".")}: ${message}`)).join("; ");
}
