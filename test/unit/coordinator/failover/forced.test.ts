import { describe, expect, test } from "vitest";
import type { LoadedCluster } from "#coordinator/ports.ts";
import { checkForcedFailover } from "#coordinator/operations/failover/checks.ts";
import { planForcedFailover } from "#coordinator/operations/failover/plan.ts";
import type { ForcedFailoverSituation } from "#coordinator/operations/failover/situation.ts";
import type { DatabaseFacts } from "#shared/domain/facts.ts";
import { Failure } from "#shared/errors.ts";
import { change, changePool, type World } from "../world.ts";
import { addFollower, changeAgent, goodWorld, situationOf } from "../switchover/scene.ts";

/** srv127 was the primary and is stopped; srv159 has 4 KiB more than srv129. */
function lostWorld(): World {
  const world = addFollower(goodWorld({ pool: true }));
  changeDatabase(world, "srv127", { status: "stopped", role: null, hasStandbyMarker: false, position: null, replication: [] }); // prettier-ignore
  changeDatabase(world, "srv129", { receivedPosition: "0/5000000", position: "0/4000000", receiver: null }); // prettier-ignore
  changeDatabase(world, "srv159", { receivedPosition: "0/5001000", position: "0/5001000", receiver: null }); // prettier-ignore
  return world;
}

function changeDatabase(world: World, node: string, part: Partial<DatabaseFacts>): void {
  change(world, node, (facts) => ({ ...facts, database: { ...facts.database, ...part } }));
}

function forced(world: World, to = "srv159", answering: readonly string[] = []) {
  const { declaration, nodes, successor } = situationOf(world, { to });
  const situation: ForcedFailoverSituation = { declaration, nodes, to, successor, answering, stallMs: 1_000 }; // prettier-ignore
  const cluster: LoadedCluster = { file: "/c", yaml: "", hash: "0".repeat(64), declaration };
  return planForcedFailover(situation, cluster, checkForcedFailover(situation));
}

function refusal(world: World, to?: string, answering?: readonly string[]): readonly string[] {
  try {
    forced(world, to, answering);
  } catch (error) {
    if (error instanceof Failure && error.code === "PREFLIGHT_FAILED") return error.evidence;
    throw error;
  }
  return [];
}

const found = (world: World, to?: string): readonly string[] =>
  forced(world, to)
    .checks.filter(({ status }) => status === "warn")
    .map(({ found: what }) => what);

describe("a failover that a person asks for", () => {
  test("promotes first, then tells pools, address and standbys; the former primary is left to the operation meanwhile", () => {
    const plan = forced(lostWorld(), "srv129");
    expect(plan.steps.map(({ id }) => id)).toEqual([
      "promote/srv129",
      "lead-pool/srv127",
      "lead-pool/srv129",
      "take-address/srv129",
      "follow/srv159",
    ]);
    expect(plan.noReturn).toBe("promote/srv129");
    expect(plan.reserves).toEqual([{ node: "srv127", classes: ["database", "role"] }]);
  });

  test("shows each candidate, and what is lost with the one that was asked for", () => {
    const world = lostWorld();
    expect(forced(world, "srv129").notes).toEqual([
      "srv159: 0/5001000 on timeline 1, as far as any",
      "srv129: 0/5000000 on timeline 1, 4.0 KiB behind srv159",
      expect.stringMatching(/^What srv127 wrote and srv129 has not received is lost/),
      expect.stringContaining("castellan node rejoin ESHA srv127"),
    ]);
    expect(found(world, "srv129")).toContain("srv129 lacks 4.0 KiB of WAL that srv159 has");
    expect(found(world)).toEqual([]);
  });

  test("of a host that is gone with its agent the last that was heard is told, and that it may still take writes", () => {
    const world = lostWorld();
    changeDatabase(world, "srv127", { status: "running", role: "primary", position: "0/5002000" });
    changeAgent(world, "srv127", { connected: false, lastSeenAt: 0 });
    expect(forced(world).notes).toContain("srv127 was at 0/5002000 when it was last heard (1970-01-01T00:00:00.000Z): 4.0 KiB of that, and all that came after it, would be lost."); // prettier-ignore
    expect(found(world)).toEqual(["srv127 can't be asked whether it still takes writes"]);
  });

  test("is refused while a primary answers, its agent or its database alone", () => {
    const world = lostWorld();
    changeDatabase(world, "srv127", { status: "running", role: "primary" });
    expect(refusal(world)).toEqual([expect.stringContaining("srv127 is the primary, and answers")]);
    changeAgent(world, "srv127", { connected: false });
    expect(refusal(world, "srv159", ["srv127"])).toEqual([expect.stringContaining("the database of srv127 answers, though its agent is away")]); // prettier-ignore
    expect(refusal(world, "srv159", [])).toEqual([]);
    changeAgent(world, "srv127", { connected: true });
    changeDatabase(world, "srv127", { status: "unreachable", role: null });
    expect(refusal(world)).toEqual([expect.stringContaining("a server runs on srv127 that gives no session")]); // prettier-ignore
  });

  test("is refused for what is no standby that can be asked, and beside another script that promotes", () => {
    expect(refusal(lostWorld(), "srv1")).toEqual([expect.stringContaining("srv1 is no node of ESHA")]); // prettier-ignore
    expect(refusal(lostWorld(), "srv127")).toEqual([expect.stringContaining("the database of srv127 is stopped")]); // prettier-ignore
    const away = lostWorld();
    changeAgent(away, "srv159", { connected: false });
    expect(refusal(away)).toEqual([expect.stringContaining("the agent of srv159 is away")]);
    const vendor = lostWorld();
    changePool(vendor, "srv129", { settings: { failover_command: "/x/failover_stream.sh %d" } });
    expect(refusal(vendor)).toEqual([expect.stringContaining("the pool of srv129 runs /x/failover_stream.sh")]); // prettier-ignore
  });

  test("says who may have more, or may still get some", () => {
    const world = lostWorld();
    changeAgent(world, "srv129", { connected: false });
    const receiver = { status: "streaming", slot: null, conninfo: "", timeline: 1 };
    changeDatabase(world, "srv159", { receiver });
    expect(found(world)).toEqual([
      "srv159 counts as streaming",
      "the agent of srv129 is away: it may have more than any other",
    ]);
  });
});
