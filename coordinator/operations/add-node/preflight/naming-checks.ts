import { bareAddress, isLoopback, isSameAddress } from "#shared/domain/addresses.ts";
import { parseIp } from "#shared/config-files/ip-address.ts";
import type { NodeDeclaration } from "#shared/domain/cluster.ts";
import { SlotName } from "#shared/domain/names.ts";
import type { Situation } from "../situation.ts";
import { always, type Check, fail, nameOf, pass, type Verdict, warn } from "./check.ts";
import { dropSlotSql } from "./topology-checks.ts";

const node = (s: Situation): NodeDeclaration => s.newcomer.declared;

/** Names, addresses, ports and slots that the new node would share with something else. */
export const namingChecks: readonly Check[] = [
  {
    id: "node-name-free",
    title: "No node of any cluster has this name",
    wanted: "a name that is not taken",
    applies: always,
    evaluate: (s) => {
      const { name } = node(s);
      for (const cluster of [s.declaration, ...s.otherClusters]) {
        const taken = cluster.nodes.find(
          (other) => other.name.toLowerCase() === name.toLowerCase(),
        );
        if (taken === undefined) continue;
        const fix =
          cluster === s.declaration
            ? `It is declared already: "castellan status" shows it. Choose another name for another host.`
            : "An agent belongs to one cluster: choose another name.";
        return fail(name, `${taken.name} (${taken.address}) in ${cluster.name}`, fix);
      }
      return pass(name, name);
    },
  },
  {
    id: "application-name-free",
    title: "Nobody streams from the primary under this name",
    wanted: "no such application_name",
    applies: (s) => s.primary !== null,
    evaluate: (s) => {
      const { name } = node(s);
      const row = s.primary?.facts?.database.replication.find(
        (candidate) => candidate.applicationName === name,
      );
      if (row === undefined) return pass(name, "free");
      const from = row.clientAddress ?? "a local socket";
      return fail(
        name,
        `${from} streams as ${name}`,
        "Stop or rename that client, or choose another name.",
      );
    },
  },
  {
    id: "address-numeric",
    title: "The address is a number",
    wanted: "an IPv4 or IPv6 address",
    applies: always,
    evaluate: (s) => {
      const { name, address } = node(s);
      if (parseIp(address) !== null) return pass(name, address);
      const fix =
        "Repeat with --address and the number: pools, hba lines and the vendor's scripts compare numbers.";
      return fail(name, address, fix);
    },
  },
  {
    id: "address-free",
    title: "The address is no existing host's",
    wanted: "an address of the new host alone",
    applies: always,
    evaluate: (s) => {
      const { name, address } = node(s);
      const owner = ownerOf(s, address);
      if (owner === null) return pass(name, address);
      const fix = `Give the address of the new host itself with --address; ${address} is ${owner}.`;
      return fail(name, `${address} is ${owner}`, fix);
    },
  },
  {
    id: "address-not-virtual",
    title: "The address is not a virtual one",
    wanted: "the host's own address",
    applies: always,
    evaluate: (s) => {
      const { name, address } = node(s);
      const { database, pool } = s.declaration.virtualAddresses;
      const watchdogs = s.managers.flatMap(
        (manager) => manager.facts?.pool?.settings["delegate_ip"] ?? [],
      );
      const virtual = [database, pool, ...watchdogs].find(
        (other) => other !== null && other !== "" && isSameAddress(bareAddress(other), address),
      );
      if (virtual == null) return pass(name, address);
      const fix = "A virtual address moves between hosts. Give the one that stays with --address.";
      return fail(name, `${address} is the virtual address ${virtual}`, fix);
    },
  },
  {
    id: "address-there",
    title: "The new host has the address",
    wanted: "the address on one of its interfaces",
    applies: (s) => s.probes.target?.answer != null,
    evaluate: (s) => {
      const { name, address } = node(s);
      if (s.probes.target?.answer?.addressIsLocal === true) return pass(name, address);
      const found = (s.newcomer.facts?.host.addresses ?? [])
        .filter((candidate) => s.isOneHost || !isLoopback(candidate.address))
        .map((candidate) => candidate.address);
      return fail(
        name,
        `it has ${found.join(", ") || "no address"}`,
        "Correct --address.",
        address,
      );
    },
  },
  {
    id: "slot-name",
    title: "The slot's name can be one",
    wanted: "lower-case letters, digits and _, up to 63",
    applies: always,
    evaluate: (s) => {
      const { name, slot } = node(s);
      if (SlotName.safeParse(slot).success) return pass(name, slot);
      return fail(name, slot, "Choose a shorter node name.");
    },
  },
  {
    id: "slot-free",
    title: "No node has a slot of this name",
    wanted: "no such slot anywhere",
    applies: always,
    evaluate: (s) => {
      const { name, slot } = node(s);
      const declared = s.existing.find((other) => other.declared.slot === slot);
      if (declared !== undefined) {
        return fail(
          name,
          `${slot} is declared for ${nameOf(declared)}`,
          "Choose another node name.",
        );
      }
      const found = s.existing.flatMap((other): readonly Verdict[] => {
        const row = other.facts?.database.slots.find((candidate) => candidate.name === slot);
        if (row === undefined) return [];
        const own = other.facts?.agent.ownSlots.find((candidate) => candidate.name === slot);
        const from = own === undefined ? "not made by Castellan" : `left by ${own.operationId}`;
        const use = row.active ? "in use" : "not in use";
        return [
          fail(
            nameOf(other),
            `${slot}, ${from}, ${use}`,
            `If nothing needs it, on ${nameOf(other)}: ${dropSlotSql(s, slot)}`,
          ),
        ];
      });
      return found.length > 0 ? found : pass(name, `${slot} is free`);
    },
  },
  {
    id: "port-like-others",
    title: "The port is the one of the other nodes",
    wanted: "one port on all nodes",
    applies: always,
    evaluate: (s) => {
      const { name, port } = node(s);
      const others = [...new Set(s.existing.map((other) => other.declared.port))];
      if (others.includes(port)) return pass(name, String(port));
      const found = `${port}, the others have ${others.join(", ")}`;
      // The vendor's scripts know one port for all nodes (KB_PORT).
      if (s.product.vendor === null)
        return warn(name, found, "Clients and scripts must know both.");
      return fail(
        name,
        found,
        `Leave --port out, or set ${others.join(" or ")}, also in its agent.yaml.`,
      );
    },
  },
  {
    id: "agent-address",
    title: "The new host's agent is set up for this port and data directory",
    wanted: "agent.yaml names them",
    applies: (s) => s.newcomer.facts !== null,
    evaluate: (s) => {
      const { name, port, paths } = node(s);
      const agent = s.newcomer.facts?.agent;
      if (agent === undefined) return [];
      const found = `agent.yaml has port ${agent.databasePort} and ${agent.dataDirectory}`;
      if (agent.databasePort === port && agent.dataDirectory === paths.dataDirectory) {
        return pass(name, found);
      }
      const fix = `Leave --port and --data-dir out, or correct agent.yaml on ${name} and restart its agent.`;
      return fail(name, found, fix, `port ${port} and ${paths.dataDirectory}`);
    },
  },
  {
    id: "cluster-name",
    title: "The cluster's name is one that the vendor's tools can work with",
    wanted: "any name but cluster",
    applies: (s) => s.product.vendor !== null,
    evaluate: (s) =>
      s.declaration.name.toLowerCase() === "cluster"
        ? warn(
            null,
            s.declaration.name,
            "The vendor's deployment tool breaks on this path; avoid it for new clusters.",
          )
        : pass(null, s.declaration.name),
  },
];

/** Whose the address is already: as declared, or seen on an interface. Of a whole net of loopback only what is declared. */
function ownerOf(s: Situation, address: string): string | null {
  for (const cluster of [s.declaration, ...s.otherClusters]) {
    const declared = cluster.nodes.find(
      (other) =>
        isSameAddress(other.address, address) &&
        // Two clusters may share a host; two nodes of one cluster may not.
        (cluster === s.declaration ? other.name !== s.request.node : other.port === node(s).port),
    );
    if (declared !== undefined) return `${declared.name} of ${cluster.name}`;
  }
  if (isLoopback(address)) return null;
  const seen = s.existing.find((other) =>
    other.facts?.host.addresses.some((candidate) => isSameAddress(candidate.address, address)),
  );
  return seen === undefined ? null : `on ${nameOf(seen)}`;
}
