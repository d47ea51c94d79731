import { appendRules } from "#shared/config-files/hba-edit.ts";
import { parseHba } from "#shared/config-files/hba.ts";
import { firstMatch, type HbaMatch } from "#shared/config-files/hba-match.ts";
import { parseIp } from "#shared/config-files/ip-address.ts";
import { bareAddress } from "#shared/domain/addresses.ts";
import type { SecretName } from "#shared/domain/commands.ts";
import {
  clientAddressOf,
  clientsOfNewcomer,
  hbaOf,
  ownUsers,
  rulesForNewcomer,
  rulesOfNewcomer,
} from "../hba-rules.ts";
import { type KnownNode, type Situation, textAt } from "../situation.ts";
import { always, type Check, fail, nameOf, pass, type Verdict, warn } from "./check.ts";
import { loginsTo } from "./network-checks.ts";

const name = (s: Situation): string => nameOf(s.newcomer);

/** Passwords and hba lines, in both directions. */
export const accessChecks: readonly Check[] = [
  {
    id: "secrets",
    title: "The new host has every password that its files and logins need",
    wanted: "set on the host, never sent to it",
    applies: (s) => s.newcomer.facts !== null,
    evaluate: (s) => neededSecrets(s).map((secret) => secretThere(s.newcomer, secret)),
  },
  {
    id: "pcp-secret",
    title: "Every management node has the password of its pool's pcp user",
    wanted: "set on the host",
    applies: (s) => s.declaration.pool !== "none",
    evaluate: (s) =>
      s.managers.filter((node) => node.facts !== null).map((node) => secretThere(node, "pcp")),
  },
  {
    id: "database-secret",
    title: "Every management node can read through its pool",
    wanted: "the secret database, set on the host",
    applies: (s) => s.declaration.pool !== "none",
    evaluate: (s) =>
      s.managers.filter((node) => node.facts !== null).map((node) => secretThere(node, "database")),
  },
  {
    id: "replication-login",
    title: "The new host can log in for replication, or step hba will let it",
    wanted: "a login, or a refusal for the missing hba line alone",
    applies: (s) => s.probes.logins?.answer != null,
    evaluate: (s) => s.existing.flatMap((node) => loginVerdict(s, node, true)),
  },
  {
    id: "database-login",
    title: "The new host can log in for maintenance, or step hba will let it",
    wanted: "a login, or a refusal for the missing hba line alone",
    applies: (s) => s.probes.logins?.answer != null,
    evaluate: (s) => s.existing.flatMap((node) => loginVerdict(s, node, false)),
  },
  {
    id: "hba-readable",
    title: "The servers can read their hba files",
    wanted: "no broken line",
    applies: always,
    evaluate: (s) =>
      s.existing.flatMap((node): readonly Verdict[] => {
        if (node.facts === null) return [];
        const conf = hbaOf(node);
        const file = node.declared.paths.hbaFile;
        if (conf === null) {
          const fix = `Correct paths.hbaFile in its agent.yaml and hbaFile in the declaration.`;
          return [fail(nameOf(node), `${file} can't be read by the agent`, fix)];
        }
        const [first] = conf.complaints;
        if (first === undefined) return [pass(nameOf(node), file)];
        const fix = `${first.hint} With a broken line a reload keeps the old rules and says nothing.`;
        return [
          fail(nameOf(node), `${first.file}:${first.line}:${first.column}: ${first.message}`, fix),
        ];
      }),
  },
  {
    id: "hba-to-existing",
    title: "Every existing node lets the new one in, now or after step hba",
    wanted: "replication and maintenance from the new address",
    applies: always,
    evaluate: (s) => s.existing.flatMap((node) => hbaTowards(s, node)),
  },
  {
    id: "hba-to-newcomer",
    title: "The new node will let every node, pool and virtual address in",
    wanted: "replication and maintenance from every node",
    applies: (s) => s.source !== null && hbaOf(s.source) !== null,
    evaluate: (s) => hbaOfNewcomer(s),
  },
  {
    id: "hba-virtual-addresses",
    title: "Existing nodes let connections from the virtual addresses in",
    wanted: "an hba line that covers them",
    applies: (s) => !s.isOneHost && virtualAddresses(s).length > 0,
    evaluate: (s) =>
      s.existing.flatMap((node): readonly Verdict[] => {
        const conf = hbaOf(node);
        if (conf === null) return [];
        const closed = virtualAddresses(s).filter((address) => {
          const match = firstMatch(conf, replicationQuery(s, address));
          return match === null || match.rule?.method === "reject";
        });
        if (closed.length === 0) return [pass(nameOf(node), virtualAddresses(s).join(", "))];
        const fix = `Add "host replication ${s.declaration.database.replicationUser} ${closed[0] ?? ""}/32 md5" there: a connection may leave with the virtual address as its source.`;
        return [warn(nameOf(node), `no line for ${closed.join(", ")}`, fix)];
      }),
  },
];

/** What write-node-files puts into files, and what the logins take. */
export function neededSecrets(s: Situation): readonly SecretName[] {
  return s.product.vendor === null
    ? ["database", "replication"]
    : ["database", "replication", "pcp"];
}

function secretThere(node: KnownNode, secret: SecretName): Verdict {
  if (node.facts?.host.secrets.includes(secret) === true) return pass(nameOf(node), secret);
  const user = node.facts?.host.user.name ?? "the agent's user";
  const command = `castellan-agent secret set ${secret}`;
  return fail(nameOf(node), `no secret ${secret}`, `On ${nameOf(node)}, as ${user}: ${command}`);
}

function loginVerdict(s: Situation, node: KnownNode, replication: boolean): readonly Verdict[] {
  const result = loginsTo(s, node).find(({ login }) => login.replication === replication);
  if (result === undefined) return [];
  const { login, ok, sqlState, message } = result;
  const to = `${login.user}@${nameOf(node)}`;
  if (ok) return [pass(name(s), `${to} logged in`)];
  switch (sqlState) {
    // No line, or a reject: the hba checks say which; a missing line is what step hba is for.
    case "28000":
      return [pass(name(s), `${to} has no hba line yet: step hba opens it`)];
    case "28P01":
      return [
        fail(
          name(s),
          `${to}: wrong password`,
          `On ${name(s)}: castellan-agent secret set ${login.secret}`,
        ),
      ];
    case null:
      // Not the server's answer: reach-databases says what is in the way, or a secret is missing.
      return [];
    case "53300":
      return [
        fail(
          name(s),
          `${to}: ${message ?? "too many connections"}`,
          `Free connections on ${nameOf(node)}, or raise max_connections.`,
        ),
      ];
    case "3D000":
      return [
        fail(name(s), `${to}: ${message ?? "no such database"}`, "Correct cluster.database.name."),
      ];
    default:
      return [
        fail(
          name(s),
          `${to}: ${message ?? "refused"} (${sqlState})`,
          `Mend what ${nameOf(node)} says.`,
        ),
      ];
  }
}

function hbaTowards(s: Situation, node: KnownNode): readonly Verdict[] {
  const file = node.declared.paths.hbaFile;
  const text = textAt(node.facts, file);
  const client = clientAddressOf(s, s.newcomer.declared);
  if (text === null || parseIp(client) === null) return [];
  const queries = queriesFrom(s, client, ownUsers(s));
  const before = parseHba(text);
  const closed = queries.filter((query) => !admits(firstMatch(before, query)));
  if (closed.length === 0) return [pass(nameOf(node), `${client} is let in already`)];
  const after = parseHba(appendRules(text, rulesForNewcomer(s)));
  const captured = closed.flatMap((query) => {
    const match = firstMatch(after, query);
    return admits(match) || match === null ? [] : [{ query, match }];
  });
  const [first] = captured;
  if (first === undefined) return [pass(nameOf(node), `${client} will be let in by step hba`)];
  const method = first.match.rule?.method ?? first.match.undecidable ?? "unknown";
  return [
    warn(
      nameOf(node),
      `line ${first.match.line} decides about ${first.query.user} from ${client}: ${method}`,
      "Step hba writes its lines before that one; look whether the site wants that.",
    ),
  ];
}

/** The source's file as it will be on the new node, asked from every node's address and as every role. */
function hbaOfNewcomer(s: Situation): readonly Verdict[] {
  const path = s.source?.declared.paths.hbaFile ?? "";
  const text = textAt(s.source?.facts ?? null, path);
  if (text === null) return [];
  const conf = parseHba(appendRules(text, rulesOfNewcomer(s)));
  const clients = clientsOfNewcomer(s).filter(({ address }) => parseIp(address) !== null);
  const closed = clients
    .filter(({ address, users }) =>
      queriesFrom(s, address, users).some((query) => !admits(firstMatch(conf, query))),
    )
    .map(({ address }) => address);
  if (closed.length === 0) return [pass(name(s), clients.map(({ address }) => address).join(", "))];
  return [
    warn(
      name(s),
      `an earlier line decides about ${closed.join(", ")}`,
      `Look at the order of lines in ${path} on ${s.source === null ? "the source" : nameOf(s.source)}.`,
    ),
  ];
}

type Query = Parameters<typeof firstMatch>[1];

function queriesFrom(s: Situation, address: string, users: readonly string[]): readonly Query[] {
  const { name: database } = s.declaration.database;
  return [
    replicationQuery(s, address),
    ...users.map((user): Query => ({
      type: "host",
      database,
      user,
      address,
      replication: false,
    })),
  ];
}

function replicationQuery(s: Situation, address: string): Query {
  const { replicationUser: user } = s.declaration.database;
  return { type: "host", database: "", user, address, replication: true };
}

/** A login with a password gets through. What can't be decided from the text is left to the real login. */
function admits(match: HbaMatch | null): boolean {
  if (match === null) return false;
  if (match.rule === null || match.undecidable !== null) return false;
  return ["md5", "scram-sha-256", "sha-256", "password", "trust"].includes(match.rule.method);
}

function virtualAddresses(s: Situation): readonly string[] {
  const { database, pool } = s.declaration.virtualAddresses;
  return [database, pool].flatMap((vip) =>
    vip === null || parseIp(bareAddress(vip)) === null ? [] : [bareAddress(vip)],
  );
}
