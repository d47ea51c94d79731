import { request } from "node:https";
import { expect, test } from "vitest";
import { certificateFingerprint } from "#coordinator/trust/certificate.ts";
import { createJoinToken } from "#coordinator/trust/tokens.ts";
import { protocolVersion } from "#shared/version.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { startTestCoordinator, type TestCoordinator } from "./test-coordinator.ts";

test("a token gets its node a secret with which the agent is let in", async () => {
  await using coordinator = await startTestCoordinator();
  const answer = await join(coordinator, "srv127", tokenFor(coordinator, "srv127"));
  expect(answer.status).toBe(200);
  expect(certificateFingerprint(answer.body.certificatePem)).toBe(coordinator.core.fingerprint);
  const agent = coordinator.agent("srv127", { secret: answer.body.secret });
  await waitFor(() => agent.isWelcome);
  expect(coordinator.core.hub.view("srv127")?.connected).toBe(true);
});

test("a token works once", async () => {
  await using coordinator = await startTestCoordinator();
  const token = tokenFor(coordinator, "srv127");
  await join(coordinator, "srv127", token);
  const again = await join(coordinator, "srv127", token);
  expect(again).toMatchObject({ status: 401, body: { error: { code: "AUTHENTICATION_FAILED" } } });
  expect(again.body.error.message).toContain("used before");
  expect(again.body.error.hint).toContain("castellan token create --node srv127");
});

test("an unknown, an expired and another node's token are refused, each with its reason", async () => {
  await using coordinator = await startTestCoordinator();
  const unknown = await join(coordinator, "srv127", "x".repeat(43));
  expect(unknown.body.error.message).toBe("No such token.");
  const expired = createJoinToken(coordinator.core.ports.store, "srv127", Date.now() - 10, 5).token;
  expect((await join(coordinator, "srv127", expired)).body.error.message).toContain("expired");
  const other = await join(coordinator, "srv129", tokenFor(coordinator, "srv127"));
  expect(other.body.error.message).toContain("another node");
  expect(coordinator.core.ports.store.agent("srv129")).toBeNull();
});

test("another node's attempt does not use the token up", async () => {
  await using coordinator = await startTestCoordinator();
  const token = tokenFor(coordinator, "srv127");
  await join(coordinator, "srv129", token);
  expect((await join(coordinator, "srv127", token)).status).toBe(200);
});

test("an agent of another protocol is told both numbers, and its token stays good", async () => {
  await using coordinator = await startTestCoordinator();
  const token = tokenFor(coordinator, "srv127");
  const answer = await join(coordinator, "srv127", token, { protocol: 99 });
  expect(answer).toMatchObject({ status: 426, body: { error: { code: "VERSION_MISMATCH" } } });
  expect(answer.body.error.message).toContain("99");
  expect((await join(coordinator, "srv127", token)).status).toBe(200);
});

test("an oversized, a truncated and a wrong body are refused", async () => {
  await using coordinator = await startTestCoordinator();
  for (const body of ["x".repeat(10_000), '{"token":', '{"token":"short"}']) {
    const answer = await post(coordinator, body);
    expect(answer.status).toBe(400);
    expect(answer.body.error.code).toBe("USAGE");
  }
});

test("neither tokens nor secrets are in the journal", async () => {
  await using coordinator = await startTestCoordinator();
  const token = tokenFor(coordinator, "srv127");
  const { body } = await join(coordinator, "srv127", token);
  const { store } = coordinator.core.ports;
  const stored = JSON.stringify([store.agents(), store.events(0, 1_000)]);
  expect(stored).not.toContain(token);
  expect(stored).not.toContain(body.secret);
});

function tokenFor({ core }: TestCoordinator, node: string): string {
  return createJoinToken(core.ports.store, node, Date.now(), 60_000).token;
}

type JoinBody = {
  readonly secret: string;
  readonly certificatePem: string;
  readonly error: { readonly code: string; readonly message: string; readonly hint: string };
};

function join(
  coordinator: TestCoordinator,
  node: string,
  token: string,
  { protocol = protocolVersion }: { readonly protocol?: number } = {},
) {
  return post(coordinator, JSON.stringify({ token, node, agentVersion: "0.1.0", protocol }));
}

function post(
  { core, state }: TestCoordinator,
  body: string,
): Promise<{ readonly status: number; readonly body: JoinBody }> {
  return new Promise((resolve, reject) => {
    const call = request(
      {
        host: "127.0.0.1",
        port: core.agentPort,
        path: "/agent/join",
        method: "POST",
        ca: state.certificatePem,
      },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          text += chunk;
        });
        // What is missing in the answer shows as undefined where it is looked at.
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as JoinBody }),
        );
      },
    );
    call.on("error", reject);
    call.end(body);
  });
}

test("a new journal outranks every epoch of a lost one, so that agents obey it", async () => {
  await using lost = await startTestCoordinator();
  const obeyed = lost.core.ports.store.epoch;
  await using fresh = await startTestCoordinator();
  expect(fresh.core.ports.store.epoch).toBeGreaterThan(obeyed);
});
