import type { Case } from "./case.ts";
import { agent, newcomer, pool, probes, view } from "./edits.ts";

export const fleetCases: readonly Case[] = [
  {
    check: "agent-connected",
    when: "the new host's agent never joined",
    status: "fail",
    edit: (world) => world.agents.delete(newcomer),
    says: /castellan token create --node srv159/,
  },
  {
    check: "agent-connected",
    when: "an agent is away",
    status: "fail",
    edit: view("srv129", { connected: false }),
    says: /away/,
  },
  {
    check: "agent-version",
    when: "an agent is of another minor version",
    status: "fail",
    edit: view("srv129", { agentVersion: "9.9.0" }),
    says: /9\.9\.0/,
  },
  {
    check: "agent-product",
    when: "an agent manages another product",
    status: "fail",
    edit: agent("srv129", { product: "kingbase-v8r3" }),
  },
  {
    check: "agent-verbs",
    when: "an allow-list lacks a verb",
    status: "fail",
    edit: agent(newcomer, { verbs: ["probe-target"] }),
    says: /base-backup/,
  },
  {
    check: "agent-pool",
    when: "a management node's agent knows no pool",
    status: "fail",
    options: pool,
    edit: agent("srv129", { poolKind: "none" }),
  },
  {
    check: "clock",
    when: "a clock is off by an hour",
    status: "fail",
    edit: view("srv129", { clockOffsetMs: 3_600_000 }),
    says: /3600\.0 s ahead/,
  },
  {
    check: "clock",
    when: "a clock is off by three seconds",
    status: "warn",
    edit: view(newcomer, { clockOffsetMs: -3_000 }),
    says: /behind/,
  },
  {
    check: "questions-answered",
    when: "a host refuses a question",
    status: "fail",
    edit: (world) =>
      probes(world, (p) => ({ ...p, target: { answer: null, problem: "verb not allowed" } })),
    says: /verb not allowed/,
  },
];
