import { isSameAddress } from "#shared/domain/addresses.ts";
import { poolFlag, parsePoolConf, type PoolConf } from "#shared/config-files/pool-conf.ts";
import { canHoldDoor } from "../plan/register-steps.ts";
import { configuredRows, openPoolSessions } from "../registration.ts";
import { type KnownNode, type Situation, textAt } from "../situation.ts";
import { type Check, fail, nameOf, pass, type Verdict, warn } from "./check.ts";

const hasPool = (s: Situation): boolean => s.declaration.pool !== "none";
const running = (s: Situation): readonly KnownNode[] =>
  s.managers.filter((node) => node.facts?.pool?.status === "running");

/** The pools: reachable, agreeing with each other and with the cluster, ready to take a row. */
export const poolChecks: readonly Check[] = [
  {
    id: "pool-declared",
    title: "The declaration names the nodes that run the pool",
    wanted: "management: true on at least one node",
    applies: hasPool,
    evaluate: (s) =>
      s.managers.length > 0
        ? pass(null, s.managers.map(nameOf).join(", "))
        : fail(
            null,
            "no management node",
            'Set "management: true" on them, or cluster.pool.kind: none.',
          ),
  },
  {
    id: "pool-running",
    title: "Every pool runs and answers",
    wanted: "running",
    applies: hasPool,
    evaluate: (s) =>
      s.managers
        .filter((node) => node.facts !== null)
        .map((node): Verdict => {
          const pool = node.facts?.pool ?? null;
          if (pool?.status === "running") return pass(nameOf(node), pool.version ?? "running");
          const why = pool?.problem == null ? "" : `: ${pool.problem}`;
          const fix = `Start the pool on ${nameOf(node)}, or see that its pcp login works (secret pcp, pcpUser in agent.yaml).`;
          return fail(nameOf(node), `${pool?.status ?? "not observed"}${why}`, fix);
        }),
  },
  {
    id: "pool-rows-up",
    title: "Every pool has every existing node up",
    wanted: "up on every pool",
    applies: hasPool,
    evaluate: (s) =>
      running(s).flatMap((manager) =>
        s.existing.map((node): Verdict => {
          const row = rowOf(manager, node);
          if (row === null) {
            const fix = `Give it a row in ${nameOf(manager)}'s pool, or take it out of the declaration.`;
            return fail(nameOf(manager), `no row for ${nameOf(node)}`, fix);
          }
          if (row.status === "up" || row.status === "waiting") {
            return pass(nameOf(manager), `${nameOf(node)} is ${row.status}`);
          }
          const fix = `If it streams: pcp_attach_node -n ${row.id}`;
          return fail(nameOf(manager), `${nameOf(node)} is ${row.status}`, fix);
        }),
      ),
  },
  {
    id: "pool-roles",
    title: "Every pool takes the real primary for the primary",
    wanted: "the primary that the databases themselves name",
    applies: (s) => hasPool(s) && s.primary !== null,
    evaluate: (s) =>
      running(s).map((manager): Verdict => {
        const primaries = (manager.facts?.pool?.rows ?? []).filter(
          ({ role }) => role === "primary",
        );
        const right = s.primary === null ? null : rowOf(manager, s.primary);
        const found = primaries.map(({ id, hostname }) => `${id} ${hostname}`).join(", ") || "none";
        if (primaries.length === 1 && primaries[0] === right) return pass(nameOf(manager), found);
        const fix =
          "Wait for its next replication check, or find out why it is of another opinion.";
        return fail(
          nameOf(manager),
          found,
          fix,
          right === null ? undefined : `${right.id} ${right.hostname}`,
        );
      }),
  },
  {
    id: "pool-rows-equal",
    title: "All pools have the same rows in their files",
    wanted: "the same number for the same backend",
    applies: (s) => hasPool(s) && s.managers.length > 1,
    evaluate: (s) => {
      const prints = s.managers.flatMap((manager) => {
        const rows = configuredRows(manager);
        if (rows === null) return [];
        const lines = rows.map((row) => `${row.id} ${row.hostname}:${row.port ?? "?"}`);
        return [{ node: nameOf(manager), text: lines.join(", ") }];
      });
      const [first, ...others] = prints;
      const other = others.find(({ text }) => text !== first?.text);
      if (first === undefined) return [];
      if (other === undefined) return pass(null, first.text);
      const fix =
        "Make them equal: numbers are used for every pcp command and are passed between the pools.";
      return fail(null, `${first.node}: ${first.text}; ${other.node}: ${other.text}`, fix);
    },
  },
  {
    id: "pool-rows-declared",
    title: "The pools' rows are the declaration's nodes",
    wanted: "backend = the row's number",
    applies: hasPool,
    evaluate: (s) =>
      s.managers.flatMap((manager) => {
        const rows = configuredRows(manager);
        if (rows === null) return [];
        return s.existing.flatMap((node): readonly Verdict[] => {
          const { backendId, address, port } = node.declared;
          const row = rows.find((candidate) => candidate.id === backendId);
          const isRight =
            row !== undefined &&
            isSameAddress(row.hostname, address) &&
            (row.port ?? port) === port;
          if (isRight) return [pass(nameOf(manager), `${nameOf(node)} is backend ${row.id}`)];
          const found =
            row === undefined
              ? `no backend ${backendId ?? "?"}`
              : `backend ${row.id} is ${row.hostname}:${row.port ?? "?"}`;
          return [
            fail(
              nameOf(manager),
              found,
              "Correct backend in the declaration, or the pool's file.",
              `${address}:${port}`,
            ),
          ];
        });
      }),
  },
  {
    id: "backend-free",
    title: "The new row's number is free, or prepared for this node",
    wanted: "one number, free in every file",
    applies: (s) => hasPool(s) && s.registration.way !== "none",
    evaluate: (s) => {
      if (s.registration.way === "none") return [];
      const { row } = s.registration;
      return s.managers.flatMap((manager): readonly Verdict[] => {
        const rows = configuredRows(manager);
        const path = manager.declared.pool?.configFile ?? "the pool's file";
        if (rows === null) {
          return manager.facts === null
            ? []
            : [
                fail(
                  nameOf(manager),
                  `${path} can't be read by the agent`,
                  "Correct the pool's paths in its agent.yaml and the declaration.",
                ),
              ];
        }
        const taken = rows.find(({ id }) => id === row.id);
        if (taken === undefined) return [pass(nameOf(manager), `backend ${row.id} is free`)];
        if (
          isSameAddress(taken.hostname, row.hostname) &&
          taken.port === row.port &&
          (taken.dataDirectory ?? row.dataDirectory) === row.dataDirectory
        ) {
          return [pass(nameOf(manager), `backend ${row.id} is prepared for it`)];
        }
        const fix = `Rows are never used again for another node: correct ${path}.`;
        return [
          fail(
            nameOf(manager),
            `backend ${row.id} is ${taken.hostname}:${taken.port ?? "?"} ${taken.dataDirectory ?? ""}`,
            fix,
          ),
        ];
      });
    },
  },
  {
    id: "auto-failback",
    title: "No pool attaches nodes by itself",
    wanted: "auto_failback = off",
    applies: hasPool,
    evaluate: (s) =>
      confs(s).map(({ node, conf }): Verdict => {
        if (poolFlag(conf, "auto_failback") !== true) return pass(node, "off");
        return fail(
          node,
          "auto_failback = on",
          "Set auto_failback = off and reload: it attaches at a moment of its own, when the door is not held, and each attach ends sessions.",
        );
      }),
  },
  {
    id: "load-balance",
    title: "The pools send reads to standbys",
    wanted: "load_balance_mode = on",
    applies: hasPool,
    evaluate: (s) =>
      confs(s).map(({ node, conf }): Verdict => {
        if (poolFlag(conf, "load_balance_mode") !== false) return pass(node, "on");
        return fail(
          node,
          "load_balance_mode = off",
          "No read would ever reach the new node: set it on (restart of the pool), or add no node for reads.",
        );
      }),
  },
  {
    id: "pool-backend-errors",
    title: "One broken backend connection is no failover",
    wanted: "failover_on_backend_error = off",
    applies: hasPool,
    evaluate: (s) =>
      confs(s).map(({ node, conf }): Verdict => {
        const value =
          poolFlag(conf, "failover_on_backend_error") ??
          poolFlag(conf, "fail_over_on_backend_error");
        if (value !== true) return pass(node, "off");
        return warn(
          node,
          "on",
          "A restart of the new node would detach it at once; health checks are enough.",
        );
      }),
  },
  {
    id: "pool-reload",
    title: "The pools take a new row by reload",
    wanted: "3.6 or later",
    applies: (s) => s.registration.way === "reload-and-attach",
    evaluate: (s) =>
      running(s).map((manager): Verdict => {
        const version = manager.facts?.pool?.version ?? null;
        const [major = 0, minor = 0] = (/(\d+)\.(\d+)/.exec(version ?? "") ?? [])
          .slice(1)
          .map(Number);
        if (version === null || major === 0)
          return pass(nameOf(manager), version ?? "version not known");
        if (major > 3 || (major === 3 && minor >= 6)) return pass(nameOf(manager), version);
        const command = `castellan pool prepare ${s.declaration.name} ${nameOf(s.newcomer)} --address ${s.newcomer.declared.address}`;
        return fail(
          nameOf(manager),
          version,
          `It takes a row only at its start: run "${command}", restart the pools one after the other (the one without the virtual address first), and repeat: the node is then only attached.`,
        );
      }),
  },
  {
    id: "pool-root-helper",
    title: "The pools' hosts can hold the door during the attach",
    wanted: "the root helper and a packet filter on every management node",
    applies: hasPool,
    evaluate: (s) => {
      const sessions = openPoolSessions(s.managers);
      if (canHoldDoor(s)) return pass(null, `yes; ${sessions} client sessions are open`);
      const without = s.managers.filter(
        (manager) => manager.facts !== null && !manager.facts.host.rootHelperVerbs.includes("door"),
      );
      return without.map((manager) =>
        warn(
          nameOf(manager),
          `no door to hold; ${sessions} client sessions are open`,
          "Run the join line as root there once (it installs the helper and its sudoers line), and nftables. Without: a session that sends a statement during the attach reconnects once.",
        ),
      );
    },
  },
  {
    id: "watchdog",
    title: "The pools agree on one leader",
    wanted: "exactly one leader",
    applies: (s) => running(s).some((node) => node.facts?.pool?.isLeader !== null),
    evaluate: (s) => {
      const leaders = running(s).filter((node) => node.facts?.pool?.isLeader === true);
      const found = leaders.map(nameOf).join(", ") || "none";
      if (leaders.length === 1) return pass(null, found);
      return fail(
        null,
        found,
        "Open ports 9000/tcp and 9694/udp between the pools, and wait until one leads.",
      );
    },
  },
];

function rowOf(manager: KnownNode, node: KnownNode) {
  const { address, port, backendId } = node.declared;
  const rows = manager.facts?.pool?.rows ?? [];
  return (
    rows.find((row) => isSameAddress(row.hostname, address) && row.port === port) ??
    rows.find((row) => row.id === backendId && row.hostname === "") ??
    null
  );
}

function confs(s: Situation): readonly { readonly node: string; readonly conf: PoolConf }[] {
  return s.managers.flatMap((manager) => {
    const path = manager.declared.pool?.configFile ?? "";
    const text = textAt(manager.facts, path);
    return text === null ? [] : [{ node: nameOf(manager), conf: parsePoolConf(text, path) }];
  });
}
