import { slot } from "../../node-facts.ts";
import { change, changeDatabase } from "../../world.ts";
import type { Case } from "./case.ts";
import { agent, kingbase, newcomer, pool, target, view } from "./edits.ts";

export const namingCases: readonly Case[] = [
  {
    check: "node-name-free",
    when: "the name is taken in the cluster, in another case",
    status: "fail",
    request: { node: "SRV129" },
    edit: view("srv129", {}),
  },
  {
    check: "node-name-free",
    when: "another cluster has a node of that name",
    status: "fail",
    edit: (world) => {
      const [first] = world.declaration.nodes;
      if (first === undefined) return;
      const node = { ...first, name: newcomer, address: "10.0.0.9" };
      world.otherClusters = [{ ...world.declaration, name: "OTHER", nodes: [node] }];
    },
    says: /OTHER/,
  },
  {
    check: "application-name-free",
    when: "something streams under that name already",
    status: "fail",
    edit: (world) =>
      changeDatabase(world, "srv127", {
        replication: (world.facts.get("srv127")?.database.replication ?? []).flatMap((row) => [
          row,
          { ...row, applicationName: newcomer, clientAddress: "192.168.4.77" },
        ]),
      }),
    says: /192\.168\.4\.77/,
  },
  {
    check: "address-numeric",
    when: "a host name is given",
    status: "fail",
    request: { address: "srv159.example.com" },
    edit: () => undefined,
  },
  {
    check: "address-free",
    when: "the address is an existing node's",
    status: "fail",
    request: { address: "192.168.4.129" },
    edit: () => undefined,
    says: /srv129 of ESHA/,
  },
  {
    check: "address-free",
    when: "an existing host has it on an interface",
    status: "fail",
    request: { address: "192.168.5.127" },
    edit: (world) =>
      change(world, "srv127", (facts) => ({
        ...facts,
        host: {
          ...facts.host,
          addresses: [
            ...facts.host.addresses,
            { nic: "ens34", address: "192.168.5.127", prefix: 24, family: "ipv4" },
          ],
        },
      })),
    says: /srv127/,
  },
  {
    check: "address-not-virtual",
    when: "the address is the database's virtual one",
    status: "fail",
    options: pool,
    request: { address: "192.168.4.200" },
    edit: () => undefined,
  },
  {
    check: "address-there",
    when: "the new host doesn't have the address",
    status: "fail",
    edit: target((answer) => ({ ...answer, addressIsLocal: false })),
  },
  {
    check: "slot-name",
    when: "the node's name makes too long a slot name",
    status: "fail",
    request: { node: `n${"a".repeat(62)}` },
    edit: () => undefined,
  },
  {
    check: "slot-free",
    when: "the slot is left on a standby",
    status: "fail",
    edit: (world) =>
      changeDatabase(world, "srv129", { slots: [slot("slot_srv159", false, "0/1")] }),
    says: /pg_drop_replication_slot\('slot_srv159'\)/,
  },
  {
    pitfall: "F6",
    check: "port-like-others",
    when: "the vendor's scripts would need two ports",
    status: "fail",
    options: kingbase,
    request: { port: 54_322 },
    edit: agent(newcomer, { databasePort: 54_322 }),
  },
  {
    check: "agent-address",
    when: "agent.yaml names another port",
    status: "fail",
    request: { port: 5_433 },
    edit: () => undefined,
    says: /agent\.yaml/,
  },
  {
    pitfall: "F15",
    check: "cluster-name",
    when: "the cluster is named cluster",
    status: "warn",
    options: kingbase,
    edit: (world) => Object.assign(world.declaration, { name: "cluster" }),
  },
];
