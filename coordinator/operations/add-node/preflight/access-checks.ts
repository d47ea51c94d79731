import { type HbaVerdict, judgeRules } from "#shared/config-files/hba-access.ts";
import { parseIp } from "#shared/config-files/ip-address.ts";
import { bareAddress, singleAddressRange } from "#shared/domain/addresses.ts";
import type { SecretName } from "#shared/domain/commands.ts";
import { refusedForReplication } from "../../../rules/evaluators.ts";
import {
  clientAddressOf,
  hbaOf,
  hbaOptionsOf,
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
        const { replicationUser } = s.declaration.database;
        const refused = refusedForReplication(conf, replicationUser, virtualAddresses(s));
        const closed = refused.map(({ address }) => address);
        if (closed.length === 0) return [pass(nameOf(node), virtualAddresses(s).join(", "))];
        const fix = `Add "host replication ${s.declaration.database.replicationUser} ${singleAddressRange(closed[0] ?? "")} md5" there: a connection may leave with the virtual address as its source.`;
        return [warn(nameOf(node), `no line for ${closed.join(", ")}`, fix)];
      }),
  },
];

/** What write-node-files puts into files, and what the logins take. */
function neededSecrets(s: Situation): readonly SecretName[] {
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
  const text = textAt(node.facts, node.declared.paths.hbaFile);
  const client = clientAddressOf(s, s.newcomer.declared);
  const rules = rulesForNewcomer(s);
  if (text === null || rules.length === 0) return [];
  const verdicts = judgeRules(text, rules, hbaOptionsOf(node)).filter(({ works }) => !works);
  const captured = verdicts.find(({ match }) => match !== null);
  if (captured !== undefined) {
    const fix = "Step hba writes its lines before that one; look whether the site wants that.";
    return [warn(nameOf(node), describeVerdict(captured), fix)];
  }
  const found = verdicts.length === 0 ? "is let in already" : "will be let in by step hba";
  return [pass(nameOf(node), `${client} ${found}`)];
}

/** The source's file, as it comes along with the copy, asked for every node and role. */
function hbaOfNewcomer(s: Situation): readonly Verdict[] {
  const path = s.source?.declared.paths.hbaFile ?? "";
  const text = textAt(s.source?.facts ?? null, path);
  if (text === null || s.source === null) return [];
  const verdicts = judgeRules(text, rulesOfNewcomer(s), hbaOptionsOf(s.source));
  const captured = verdicts.find(({ works, match }) => !works && match !== null);
  if (captured === undefined) {
    const missing = verdicts.filter(({ works }) => !works).length;
    return [pass(name(s), missing === 0 ? "all of them already" : `${missing} lines are added`)];
  }
  return [
    warn(
      name(s),
      describeVerdict(captured),
      `The new node's own lines are written before it. Look whether the site wants that: ${path} on ${nameOf(s.source)}.`,
    ),
  ];
}

function describeVerdict({ rule, match }: HbaVerdict): string {
  const method = match?.rule?.method ?? match?.undecidable ?? "unknown";
  return `line ${match?.line ?? "?"} decides about ${rule.user} from ${rule.address}: ${method}`;
}

function virtualAddresses(s: Situation): readonly string[] {
  const { database, pool } = s.declaration.virtualAddresses;
  return [database, pool].flatMap((vip) =>
    vip === null || parseIp(bareAddress(vip)) === null ? [] : [bareAddress(vip)],
  );
}
