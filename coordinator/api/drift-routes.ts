import { Failure } from "#shared/errors.ts";
import { acceptDrift } from "../drift/accept-drift.ts";
import { listDrift, showDrift } from "../drift/drift-answers.ts";
import { diffFiles, fileHistory, showFile } from "../drift/file-answers.ts";
import { revertFile } from "../operations/revert-file/request.ts";
import type { StartOperation } from "../operations/start-operation.ts";
import type { CoordinatorPorts } from "../ports.ts";
import { AcceptDriftRequest, RevertDriftRequest } from "./drift-contract.ts";
import { get, post, type Route } from "./routes.ts";

/** Watched files and their drift, in the order of drift-contract.ts. */
export function driftRoutes(
  ports: CoordinatorPorts & { readonly runner: { readonly start: StartOperation } },
): readonly Route[] {
  const { store, runner } = ports;
  return [
    get("/api/drift", ({ query }) => listDrift(ports, query.get("cluster"))),
    get("/api/drift/show", ({ query }) =>
      showDrift(ports, wanted(query, "node"), wanted(query, "file")),
    ),
    post("/api/drift/accept", AcceptDriftRequest, ({ body }) => acceptDrift(ports, body)),
    post("/api/drift/revert", RevertDriftRequest, ({ body }) =>
      revertFile(ports, runner.start, body),
    ),
    get("/api/files/show", ({ query }) =>
      showFile(store, wanted(query, "node"), wanted(query, "file"), versionIn(query)),
    ),
    get("/api/files/history", ({ query }) =>
      fileHistory(store, wanted(query, "node"), wanted(query, "file")),
    ),
    get("/api/files/diff", ({ query }) =>
      diffFiles(store, wanted(query, "left"), wanted(query, "right"), wanted(query, "file")),
    ),
  ];
}

function wanted(query: URLSearchParams, name: string): string {
  const value = query.get(name);
  if (value !== null && value !== "") return value;
  throw new Failure("USAGE", `${name} must be given.`);
}

function versionIn(query: URLSearchParams): number | null {
  const text = query.get("version");
  if (text === null) return null;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new Failure("USAGE", `version is ${text}: a number of file history is wanted.`);
}
