import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runDaemon } from "#coordinator/daemon.ts";
import { createApiClient } from "#coordinator/cli/client.ts";
import type { OperationUpdate, StatusAnswer, TokenAnswer } from "#coordinator/api/contract.ts"; // prettier-ignore
import { startApiServer } from "#coordinator/api/server.ts";
import { watch as watchRoute } from "#coordinator/api/routes.ts";
import { streamOperation } from "#coordinator/api/watch-stream.ts";
import { version } from "#shared/version.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { done } from "./scripted-agent.ts";
import { slotStep, someOperation, somePlan } from "./some-plan.ts";
import {
  makeStateFolder,
  quickSettings,
  quietLog,
  startTestCoordinator,
  type StateFolder,
} from "./test-coordinator.ts";

async function startApi(folder: StateFolder) {
  const daemon = await runDaemon(quickSettings(folder.path), quietLog);
  return { daemon, client: createApiClient(daemon.socketPath) };
}

test("the socket is for the coordinator's user only, and status answers on it", async () => {
  using folder = await makeStateFolder();
  const { daemon, client } = await startApi(folder);
  await using _daemon = daemon;
  expect(statSync(daemon.socketPath).mode & 0o777).toBe(0o600);
  expect(await client.get<StatusAnswer>("/status")).toMatchObject({
    version,
    epoch: expect.any(Number),
    clusters: [],
    unassigned: [],
  });
});

test("a token's line is what a host pastes, with the token on standard input only", async () => {
  using folder = await makeStateFolder();
  const { daemon, client } = await startApi(folder);
  await using _daemon = daemon;
  const { joinLine } = await client.post<TokenAnswer>("/tokens", { node: "srv127", validMinutes: 5 }); // prettier-ignore
  expect(joinLine).toMatch(
    new RegExp(
      `^echo \\S{43} \\| castellan-agent join --coordinator 127.0.0.1:${daemon.agentPort} --fingerprint [0-9a-f]{64} --node srv127 --token -$`,
    ),
  );
});

test.each([
  ["GET", "/nothing", undefined, 404, "NOT_FOUND"],
  ["GET", "/operations/op-12345678", undefined, 404, "NOT_FOUND"],
  ["GET", "/operations/op-12345678/watch", undefined, 404, "NOT_FOUND"],
  ["GET", "/clusters/none", undefined, 404, "NOT_FOUND"],
  ["GET", "/why/nobody", undefined, 404, "NOT_FOUND"],
  ["GET", "/events?after=-1", undefined, 400, "USAGE"],
  ["GET", "/operations/%ZZ", undefined, 404, "NOT_FOUND"],
  ["POST", "/status", "{}", 400, "USAGE"],
  ["POST", "/tokens", "{", 400, "USAGE"],
  ["POST", "/tokens", '{"node":"srv127"}', 400, "USAGE"],
  ["POST", "/tokens", '{"node":"-x","validMinutes":1}', 400, "USAGE"],
  ["POST", "/tokens", "x".repeat(2_000_000), 400, "USAGE"],
  ["POST", "/operations/op-12345678/abort", "", 404, "NOT_FOUND"],
])("%s %s is answered with its failure", async (method, path, body, status, code) => {
  using folder = await makeStateFolder();
  const { daemon } = await startApi(folder);
  await using _daemon = daemon;
  const answer = await send(daemon.socketPath, method, path, body);
  expect(answer).toMatchObject({ status, body: { error: { code } } });
});

test("a malformed declaration shows with its place, and the other clusters are shown all the same", async () => {
  using folder = await makeStateFolder();
  mkdirSync(join(folder.path, "clusters"), { recursive: true });
  writeFileSync(join(folder.path, "clusters", "BAD.yaml"), "cluster: BAD\nnodes: 5\n");
  const { daemon, client } = await startApi(folder);
  await using _daemon = daemon;
  const { clusters } = await client.get<StatusAnswer>("/status");
  expect(clusters).toMatchObject([{ name: "BAD", nodes: [] }]);
  expect(clusters[0]?.problem).toMatch(/BAD\.yaml:\d+:\d+/);
});

test("a socket that a killed coordinator left is replaced, one that is listened on is not", async () => {
  using folder = await makeStateFolder();
  const socketPath = join(folder.path, "api.sock");
  writeFileSync(socketPath, "");
  const options = { socketPath, routes: [], maxBodyBytes: 10, log: quietLog };
  {
    await using _stale = await startApiServer(options);
    await expect(startApiServer(options)).rejects.toMatchObject({ code: "OPERATION_CONFLICT" });
  }
  const other = createServer().listen(socketPath);
  await waitFor(() => other.listening);
  await expect(startApiServer(options)).rejects.toMatchObject({ code: "OPERATION_CONFLICT" });
  other.close();
});

test("a watch streams until the operation rests", async () => {
  await using coordinator = await startTestCoordinator();
  const { runner } = coordinator.core;
  const socketPath = join(coordinator.state.path, "api.sock");
  await using _api = await startApiServer({
    socketPath,
    routes: [
      watchRoute("/api/watch/:id", ({ parameters }, response) =>
        streamOperation(runner, parameters["id"] ?? "", response, 1_000_000),
      ),
    ],
    maxBodyBytes: 10,
    log: quietLog,
  });
  const agent = coordinator.agent("srv127", { script: () => null });
  const { id } = runner.start(someOperation(somePlan(slotStep("srv127"))));
  await waitFor(() => agent.commands.length === 1);
  const seen: string[] = [];
  const stream = createApiClient(socketPath).watch<OperationUpdate>(
    `/watch/${id}`,
    new AbortController().signal,
  );
  for await (const update of stream) {
    seen.push(update.type === "operation" ? update.operation.state : update.progress.note);
    if (seen.length === 1) {
      agent.send({
        type: "command-progress",
        commandId: `${id}/0/run/1`,
        progress: { doneBytes: 1, totalBytes: 2, bytesPerSecond: 3, note: "at work" },
      });
      agent.end(`${id}/0/run/1`, done());
    }
  }
  expect(seen[0]).toBe("running");
  expect(seen).toContain("at work");
  expect(seen.at(-1)).toBe("succeeded");
});

function send(
  socketPath: string,
  method: string,
  path: string,
  body: string | undefined,
): Promise<{ readonly status: number; readonly body: unknown }> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, method, path: `/api${path}` }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as unknown }),
      );
    });
    call.on("error", reject);
    call.end(body);
  });
}
