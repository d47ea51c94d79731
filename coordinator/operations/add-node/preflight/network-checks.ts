import { bareAddress, isSameAddress, prefixOf } from "#shared/domain/addresses.ts";
import { printRate } from "../print-units.ts";
import type { KnownNode, Situation } from "../situation.ts";
import { type Check, fail, nameOf, pass, type Verdict, warn } from "./check.ts";

const name = (s: Situation): string => nameOf(s.newcomer);

/** Who can reach whom, in both directions, and over which interface. */
export const networkChecks: readonly Check[] = [
  {
    id: "reach-newcomer",
    title: "Every existing node reaches the new host",
    wanted: "an answer from the port, even a refusal",
    applies: (s) => s.probes.reachToNewcomer.size > 0,
    evaluate: (s) =>
      s.existing.flatMap((node): readonly Verdict[] => {
        const answer = s.probes.reachToNewcomer.get(nameOf(node))?.answer?.tcp[0];
        if (answer === undefined) return [];
        const door = `${answer.host}:${answer.port}`;
        if (s.isOneHost) {
          return [
            warn(
              nameOf(node),
              `${door} is on this one host`,
              "Of the way between two hosts nothing is proved here.",
            ),
          ];
        }
        switch (answer.answer) {
          case "refused":
            // Nothing listens there yet: the host itself said so.
            return [pass(nameOf(node), `${door} answers, nobody listens yet`)];
          case "open":
            return [
              fail(
                nameOf(node),
                `${door} is open already`,
                "Something listens there: stop it, or choose another --port.",
              ),
            ];
          case "silent":
            return [
              fail(
                nameOf(node),
                `${door} does not answer`,
                `Open port ${answer.port} from ${nameOf(node)} (${node.declared.address}) to ${name(s)}; look at its firewall, also after a reboot.`,
              ),
            ];
          case "unresolved":
            return [
              fail(
                nameOf(node),
                `${answer.host} can't be resolved`,
                "Give the address as a number.",
              ),
            ];
        }
      }),
  },
  {
    id: "reach-databases",
    title: "The new host reaches every database",
    wanted: "an answer from the server",
    applies: (s) => s.probes.logins?.answer != null,
    evaluate: (s) =>
      s.existing.flatMap((node): readonly Verdict[] => {
        const results = loginsTo(s, node);
        const first = results[0];
        if (first === undefined) return [];
        const door = `${node.declared.address}:${node.declared.port}`;
        const answered = results.find(({ ok, sqlState }) => ok || sqlState !== null);
        if (answered !== undefined)
          return [pass(name(s), `${door} answers in ${answered.latencyMs} ms`)];
        return [
          fail(
            name(s),
            `${door} does not answer: ${first.message ?? "no reason given"}`,
            `Open port ${node.declared.port} from ${name(s)} (${s.newcomer.declared.address}) to ${nameOf(node)}.`,
          ),
        ];
      }),
  },
  {
    id: "reach-pools",
    title: "The new host reaches every pool and its pcp port",
    wanted: "open",
    applies: (s) => s.declaration.pool !== "none" && s.probes.reachFromNewcomer?.answer != null,
    evaluate: (s) =>
      (s.probes.reachFromNewcomer?.answer?.tcp ?? []).map(({ host, port, answer }): Verdict => {
        const door = `${host}:${port}`;
        if (answer === "open") return pass(name(s), `${door} is open`);
        const fix = `See that the pool listens there for other hosts, and open the port from ${name(s)}.`;
        // Under the vendor's checks the node attaches itself; otherwise it has no need to.
        return s.vendorInCharge
          ? fail(name(s), `${door}: ${answer}`, fix)
          : warn(name(s), `${door}: ${answer}`, fix);
      }),
  },
  {
    id: "trust-addresses",
    title: "The new host reaches the trust addresses",
    wanted: "all of them answer",
    applies: (s) => s.declaration.trustAddresses.length > 0 && s.probes.target?.answer != null,
    evaluate: (s) => {
      const answers = s.probes.target?.answer?.trustReachable ?? [];
      const silent = answers.filter(({ reachable }) => !reachable).map(({ address }) => address);
      if (silent.length === 0) return pass(name(s), s.declaration.trustAddresses.join(", "));
      const fix = "Mend the route or the firewall, or correct cluster.trustAddresses.";
      // The vendor's checks stop a database whose trust addresses are all silent.
      return s.vendorInCharge && silent.length === answers.length
        ? fail(name(s), `no answer from ${silent.join(", ")}`, fix)
        : warn(name(s), `no answer from ${silent.join(", ")}`, fix);
    },
  },
  {
    id: "several-trust-addresses",
    title: "More than one trust address says whether the network is there",
    wanted: "two or more",
    applies: (s) => s.product.vendor !== null,
    evaluate: (s) => {
      const { trustAddresses } = s.declaration;
      if (trustAddresses.length > 1) return pass(null, trustAddresses.join(", "));
      return warn(
        null,
        trustAddresses.join(", ") || "none",
        "With one, a silent gateway stops every database: add a second to cluster.trustAddresses and KB_GATEWAY_IP.",
      );
    },
  },
  {
    id: "nic",
    title: "The new host's interface carries its address",
    wanted: "the interface that has the address",
    applies: (s) => s.newcomer.facts !== null && needsNic(s),
    evaluate: (s) => {
      const { nic, address } = s.newcomer.declared;
      const found =
        s.newcomer.facts?.host.addresses.filter((row) => isSameAddress(row.address, address)) ?? [];
      if (nic === null)
        return fail(
          name(s),
          "no interface is named",
          "Name it with --nic: the virtual addresses need it.",
        );
      if (found.some((row) => row.nic === nic)) return pass(name(s), nic);
      const really = found.map((row) => row.nic).join(", ");
      const fix = really === "" ? "Correct --address or --nic." : `Repeat with --nic ${really}.`;
      return fail(name(s), `${address} is not on ${nic}`, fix, really === "" ? undefined : really);
    },
  },
  {
    id: "netmask",
    title: "All interfaces and virtual addresses have one netmask",
    wanted: "the same prefix everywhere",
    applies: (s) => s.newcomer.facts !== null && !s.isOneHost && needsNic(s),
    evaluate: (s) => {
      const prefixes = [...s.existing, s.newcomer].flatMap((node) => {
        const row = node.facts?.host.addresses.find((candidate) =>
          isSameAddress(candidate.address, node.declared.address),
        );
        return row === undefined ? [] : [{ what: nameOf(node), prefix: row.prefix }];
      });
      const vip = s.declaration.virtualAddresses.database;
      const all = [
        ...prefixes,
        ...(vip === null || prefixOf(vip) === null
          ? []
          : [{ what: vip, prefix: prefixOf(vip) ?? 0 }]),
      ];
      const found = all.map(({ what, prefix }) => `${what} /${prefix}`).join(", ");
      if (new Set(all.map(({ prefix }) => prefix)).size <= 1) return pass(null, found);
      const fix =
        "With different masks connections leave with the virtual address as their source, and hba lines don't fit.";
      return warn(null, found, fix);
    },
  },
  {
    id: "virtual-address-elsewhere",
    title: "The new host doesn't hold a virtual address",
    wanted: "no virtual address on its interfaces",
    applies: (s) => s.newcomer.facts !== null && needsNic(s),
    evaluate: (s) => {
      const { database, pool } = s.declaration.virtualAddresses;
      const held = [database, pool].filter(
        (vip) =>
          vip !== null &&
          s.newcomer.facts?.host.addresses.some((row) =>
            isSameAddress(row.address, bareAddress(vip)),
          ),
      );
      if (held.length === 0) return pass(name(s), "none");
      return fail(
        name(s),
        `it has ${held.join(", ")}`,
        `ip addr del it on ${name(s)}: two hosts would answer for it.`,
      );
    },
  },
  {
    id: "bandwidth",
    title: "The bandwidth to the source is measured",
    wanted: "measured from the new host, or from a standby while it can't log in yet",
    applies: (s) => s.source !== null,
    evaluate: (s) => {
      const { throughput, throughputFrom: from } = s.probes;
      const rate = throughput?.answer?.bytesPerSecond ?? null;
      if (rate === null) {
        const why = throughput?.problem ?? "nobody could be asked";
        return warn(
          name(s),
          `not measured: ${why}`,
          `The forecast takes ${printRate(s.limits.assumedBytesPerSecond)}; the new host can measure once its hba lines are open.`,
        );
      }
      if (from === name(s)) return pass(name(s), printRate(rate));
      // Before step hba it may not log in: a standby in the same network measures in its place.
      return pass(name(s), `${printRate(rate)}, measured from ${from ?? "another host"}`);
    },
  },
];

export function loginsTo(s: Situation, node: KnownNode) {
  return (s.probes.logins?.answer?.results ?? []).filter(
    ({ login }) => login.host === node.declared.address && login.port === node.declared.port,
  );
}

/** Clusters without virtual addresses have no use for an interface's name. */
function needsNic(s: Situation): boolean {
  const { database, pool } = s.declaration.virtualAddresses;
  return database !== null || pool !== null;
}
