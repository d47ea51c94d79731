import { hbaMarker, insertRules } from "#shared/config-files/hba-access.ts";
import { printHbaRule } from "#shared/config-files/hba-edit.ts";
import { unifiedDiff } from "#shared/config-files/unified-diff.ts";
import type { HbaRule, Login } from "#shared/domain/commands.ts";
import type { PlanStep } from "../../plan.ts";
import { hbaOptionsOf, rulesForNewcomer } from "../hba-rules.ts";
import { type KnownNode, type Situation, textAt } from "../situation.ts";
import {
  linesOf,
  noPreconditions,
  operationPlaceholder,
  type PlanContext,
  sameCluster,
} from "./common.ts";
import { plannedOn } from "./planned-files.ts";

/** Every existing node lets the new one in; then the new one proves it. */
export function accessSteps(context: PlanContext): readonly PlanStep[] {
  const { existing, newcomer } = context.situation;
  const rules = [...rulesForNewcomer(context.situation)];
  const logins = newcomerLogins(context.situation);
  const newcomerName = newcomer.declared.name;
  return [
    ...existing.map((node): PlanStep => {
      const { name, paths } = node.declared;
      return {
        id: `open-hba/${name}`,
        phase: "hba",
        title: `Let ${newcomerName} connect to ${name}, and reload`,
        preview: hbaPreview(node, rules),
        on: name,
        kind: "open-hba",
        args: { file: paths.hbaFile, rules, planned: plannedOn(node, [paths.hbaFile]) },
        preconditions: sameCluster(context),
      };
    }),
    {
      id: `prove-login/${newcomerName}`,
      phase: "hba",
      title: `Log in from ${newcomerName} to every node, for replication and for maintenance`,
      preview: logins.map(printLogin),
      on: newcomerName,
      kind: "prove-login",
      args: { logins: [...logins] },
      preconditions: noPreconditions,
    },
  ];
}

/** What the new node must be able to do on any node: it may follow each of them one day. */
export function newcomerLogins(situation: Situation): readonly Login[] {
  const { name, replicationUser, maintenanceUser } = situation.declaration.database;
  return situation.existing.flatMap(({ declared }) => {
    const to = { host: declared.address, port: declared.port, database: name };
    return [
      { ...to, user: replicationUser, replication: true, secret: "replication" as const },
      { ...to, user: maintenanceUser, replication: false, secret: "database" as const },
    ];
  });
}

function hbaPreview(node: KnownNode, rules: readonly HbaRule[]): readonly string[] {
  const path = node.declared.paths.hbaFile;
  const text = textAt(node.facts, path);
  if (text === null) return rules.map((rule) => `+${printHbaRule(rule)}`);
  const edited = insertRules(text, rules, hbaMarker(operationPlaceholder), hbaOptionsOf(node));
  const diff = linesOf(unifiedDiff(text, edited, { path }));
  return diff.length === 0 ? [`${path} lets it in already: no line is added`] : diff;
}

function printLogin(login: Login): string {
  const what = login.replication ? "replication" : `database ${login.database}`;
  return `${login.user}@${login.host}:${login.port} (${what}, password from the secret "${login.secret}")`;
}
