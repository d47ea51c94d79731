import { asFailure, Failure } from "#shared/errors.ts";
import { slotLedger } from "../fleet/slot-ledger.ts";
import { addNode, preflightAddNode } from "../operations/add-node/request.ts";
import type { AddNodeLimits } from "../operations/add-node/situation.ts";
import { importCluster } from "../operations/import/request.ts";
import { poolPrepare } from "../operations/pool-prepare/request.ts";
import { operationEnd } from "../operations/operation-end.ts";
import type { Runner } from "../operations/runner.ts";
import { createJoinToken } from "../trust/tokens.ts";
import { alertRoutes, type AlertPorts } from "./alert-routes.ts";
import {
  AddNodeRequest,
  ImportRequest,
  PoolPrepareRequest,
  TokenRequest,
  type ShownOperation,
  type SlotsAnswer,
  type TokenAnswer,
} from "./contract.ts";
import { rebuildNode } from "../operations/rebuild-node/request.ts";
import { rejoinNode } from "../operations/rejoin-node/request.ts";
import { forceFailover } from "../operations/failover/request.ts";
import { switchOver } from "../operations/switchover/request.ts";
import { runDrill } from "../operations/drill/request.ts";
import { DrillRequest } from "./drill-contract.ts";
import { RebuildRequest } from "./rejoin-contract.ts";
import { FailoverRequest } from "./failover-contract.ts";
import { removeNode } from "../operations/remove-node/request.ts";
import { RemoveRequest } from "./remove-contract.ts";
import { SwitchoverRequest } from "./switchover-contract.ts";
import { clusterRunRoutes } from "./cluster-run-routes.ts";
import { guardRoutes } from "./guard-routes.ts";
import { driftRoutes } from "./drift-routes.ts";
import { checkRoutes } from "./check-routes.ts";
import { get, post, postEmpty, watch, type Route } from "./routes.ts";
import { ruleRoutes } from "./rule-routes.ts";
import { statusAnswer } from "./status-answer.ts";
import { streamStatus } from "./status-stream.ts";
import { streamOperation } from "./watch-stream.ts";
import { why } from "./why.ts";

export type ApiPorts = AlertPorts & {
  readonly runner: Runner;
  readonly sendBufferBytes: number;
  /** The coordinator's whole state in one file. Secret. */
  readonly backup: () => Buffer;
  readonly addNodeLimits: AddNodeLimits;
  /** The line to paste on a host so that it joins with this token. */
  readonly joinLine: (node: string, token: string) => string;
};

/** Every call of contract.ts, in its order. */
export function apiRoutes(ports: ApiPorts): readonly Route[] {
  const { store, runner, clusterFiles, clock } = ports;
  const operation = (id: string) => {
    const found = store.operation(id);
    if (found === null) throw new Failure("NOT_FOUND", `There is no operation ${id}.`, listHint);
    return found;
  };
  return [
    get("/api/status", ({ query }) => statusAnswer(ports, query.get("cluster"))),
    watch("/api/status/watch", ({ query }, response) =>
      streamStatus(ports, query.get("cluster"), response),
    ),
    post("/api/tokens", TokenRequest, ({ body }): TokenAnswer => {
      const validMs = body.validMinutes * 60_000;
      const { token, expiresAt } = createJoinToken(store, body.node, clock.now(), validMs);
      return { node: body.node, joinLine: ports.joinLine(body.node, token), expiresAt };
    }),
    post("/api/clusters/import", ImportRequest, ({ body }) => importCluster(ports, body)),
    get("/api/clusters", () => clusterFiles.names().map((name) => clusterFiles.load(name))),
    get("/api/clusters/:name", ({ parameters }) => clusterFiles.load(parameters["name"] ?? "")),
    post("/api/clusters/:name/preflight", AddNodeRequest, ({ parameters, body }) =>
      preflightAddNode(ports, parameters["name"] ?? "", body, ports.addNodeLimits),
    ),
    post("/api/clusters/:name/nodes", AddNodeRequest, ({ parameters, body }) =>
      addNode(ports, runner.start, parameters["name"] ?? "", body, ports.addNodeLimits),
    ),
    post("/api/clusters/:name/pool-prepare", PoolPrepareRequest, ({ parameters, body }) =>
      poolPrepare(ports, runner.start, parameters["name"] ?? "", body),
    ),
    get("/api/operations", () => store.newestOperations(listedOperations)),
    get("/api/operations/:id", ({ parameters }): ShownOperation => {
      const record = operation(parameters["id"] ?? "");
      return { ...record, end: operationEnd(record) };
    }),
    watch("/api/operations/:id/watch", ({ parameters }, response) =>
      streamOperation(runner, parameters["id"] ?? "", response, ports.sendBufferBytes),
    ),
    postEmpty("/api/operations/:id/resume", ({ parameters }) => runner.resume(parameters["id"] ?? "")), // prettier-ignore
    postEmpty("/api/operations/:id/abort", ({ parameters, query }) =>
      runner.abort(parameters["id"] ?? "", { afterRestore: query.get("after-restore") === "1" }),
    ),
    postEmpty("/api/operations/:id/leave", ({ parameters }) => runner.leave(parameters["id"] ?? "")), // prettier-ignore
    postEmpty("/api/store/check", () => store.check()),
    watch("/api/store/backup", (_, response) => {
      const bytes = ports.backup();
      response.writeHead(200, { "content-type": "application/octet-stream", "content-length": bytes.length }); // prettier-ignore
      response.end(bytes);
    }),
    get("/api/why/:subject", ({ parameters, query }) =>
      why(ports, parameters["subject"] ?? "", momentIn(query)),
    ),
    post("/api/clusters/:name/rebuild", RebuildRequest, ({ parameters, body }) =>
      rebuildNode(ports, runner.start, parameters["name"] ?? "", body),
    ),
    post("/api/clusters/:name/rejoin", RebuildRequest, ({ parameters, body }) =>
      rejoinNode(ports, runner.start, parameters["name"] ?? "", body),
    ),
    post("/api/clusters/:name/remove", RemoveRequest, ({ parameters, body }) =>
      removeNode(ports, runner.start, parameters["name"] ?? "", body),
    ),
    post("/api/clusters/:name/drill", DrillRequest, ({ parameters, body }) =>
      runDrill(ports, runner.start, parameters["name"] ?? "", body),
    ),
    post("/api/clusters/:name/switchover", SwitchoverRequest, ({ parameters, body }) =>
      switchOver(ports, runner.start, parameters["name"] ?? "", body),
    ),
    ...clusterRunRoutes(ports),
    post("/api/clusters/:name/failover", FailoverRequest, ({ parameters, body }) =>
      forceFailover(ports, runner.start, parameters["name"] ?? "", body),
    ),
    ...guardRoutes(ports),
    ...driftRoutes(ports),
    get("/api/slots", () => slots(ports, clusterFiles.names())),
    get("/api/clusters/:name/slots", ({ parameters }) => {
      const name = parameters["name"] ?? "";
      clusterFiles.load(name); // one that was asked for by name has to be readable
      return slots(ports, [name]);
    }),
    ...checkRoutes(ports),
    ...ruleRoutes(ports),
    ...alertRoutes(ports),
  ];
}

function momentIn(query: URLSearchParams): number | null {
  const text = query.get("at");
  if (text === null) return null;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new Failure("USAGE", `at is ${text}: milliseconds since 1970 are wanted.`);
}

/** The newest ones; older ones are found by their id. */
const listedOperations = 200;
const listHint = { hint: "castellan operation list" };

function slots({ fleet, clusterFiles, clock }: ApiPorts, names: readonly string[]): SlotsAnswer {
  const agents = new Map(fleet.agents().map((view) => [view.node, view]));
  const clusters = names.map((name): SlotsAnswer["clusters"][number] => {
    try {
      const { declaration } = clusterFiles.load(name);
      return { name, problem: null, nodes: slotLedger(declaration, agents) };
    } catch (error) {
      return { name, problem: asFailure(error).message, nodes: [] };
    }
  });
  return { at: clock.now(), clusters };
}
