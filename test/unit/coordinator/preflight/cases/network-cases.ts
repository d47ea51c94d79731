import type { Case } from "./case.ts";
import {
  host,
  kingbase,
  logins,
  newcomer,
  pool,
  probes,
  reachTo,
  target,
  withAnswer,
} from "./edits.ts";

export const networkCases: readonly Case[] = [
  {
    check: "reach-newcomer",
    when: "a firewall drops packets to the new host",
    status: "fail",
    edit: reachTo((answer) => ({
      ...answer,
      tcp: answer.tcp.map((row) => ({ ...row, answer: "silent" })),
    })),
    says: /firewall/,
  },
  {
    check: "reach-newcomer",
    when: "all hosts are one",
    status: "warn",
    options: { loopback: true },
    edit: () => undefined,
  },
  {
    check: "reach-databases",
    when: "the new host gets no answer from a database",
    status: "fail",
    edit: (world) => {
      logins(null, "connect ETIMEDOUT", true)(world);
      logins(null, "connect ETIMEDOUT", false)(world);
    },
    says: /ETIMEDOUT/,
  },
  {
    check: "reach-pools",
    when: "the new host can't reach a pool",
    status: "warn",
    options: pool,
    edit: (world) =>
      probes(world, (p) => ({
        ...p,
        reachFromNewcomer: withAnswer(p.reachFromNewcomer, (answer) => ({
          ...answer,
          tcp: answer.tcp.map((row) => ({ ...row, answer: "silent" as const })),
        })),
      })),
  },
  {
    check: "trust-addresses",
    when: "a trust address is silent",
    status: "warn",
    edit: target((answer) => ({
      ...answer,
      trustReachable: answer.trustReachable.map((row, i) => ({ ...row, reachable: i > 0 })),
    })),
  },
  {
    check: "several-trust-addresses",
    when: "one gateway decides about everything",
    status: "warn",
    options: kingbase,
    edit: (world) => Object.assign(world.declaration, { trustAddresses: ["192.168.4.1"] }),
  },
  {
    pitfall: "F3",
    check: "nic",
    when: "the named interface doesn't carry the address",
    status: "fail",
    options: pool,
    request: { nic: "eth7" },
    edit: () => undefined,
    says: /--nic ens33/,
  },
  {
    pitfall: "F1",
    check: "netmask",
    when: "the new host has another netmask",
    status: "warn",
    options: pool,
    edit: host(newcomer, {
      addresses: [{ nic: "ens33", address: "192.168.4.159", prefix: 16, family: "ipv4" }],
    }),
  },
  {
    check: "virtual-address-elsewhere",
    when: "the new host holds a virtual address",
    status: "fail",
    options: pool,
    edit: host(newcomer, {
      addresses: [
        { nic: "ens33", address: "192.168.4.159", prefix: 24, family: "ipv4" },
        { nic: "ens33", address: "192.168.4.200", prefix: 24, family: "ipv4" },
      ],
    }),
  },
  {
    check: "bandwidth",
    when: "nobody can measure it",
    status: "warn",
    edit: (world) =>
      probes(world, (p) => ({
        ...p,
        throughput: { answer: null, problem: "no login" },
        throughputFrom: null,
      })),
    says: /no login/,
  },
];
