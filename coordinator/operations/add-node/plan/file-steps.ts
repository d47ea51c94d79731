import { printHaModule } from "#shared/config-files/ha-module-edit.ts";
import { hbaMarker, insertRules } from "#shared/config-files/hba-access.ts";
import { printHbaRule } from "#shared/config-files/hba-edit.ts";
import { commentParameter, setParameter } from "#shared/config-files/server-conf.ts";
import { unifiedDiff } from "#shared/config-files/unified-diff.ts";
import type { CommandArgs, HaModuleModel } from "#shared/domain/commands.ts";
import type { PlanStep } from "../../plan.ts";
import { hbaOptionsOf, rulesOfNewcomer } from "../hba-rules.ts";
import { fileAt, type Situation, textAt } from "../situation.ts";
import {
  linesOf,
  noPreconditions,
  operationPlaceholder,
  type PlanContext,
  replicationUpstream,
} from "./common.ts";
import { haModuleModel } from "./ha-module-model.ts";
import { newcomerDirectories } from "./node-directories.ts";
import { nodeSettings } from "./node-settings.ts";
import { plannedOn, replacedOnNewcomer } from "./planned-files.ts";

type Args = CommandArgs<"write-node-files">;

/** The new node's own files, made from the cluster's declaration, and the directory put in its place. */
export function fileSteps(context: PlanContext): readonly PlanStep[] {
  const { situation, primary } = context;
  const node = situation.newcomer.declared;
  const args: Args = {
    cluster: { ...situation.declaration, nodes: [...situation.declaration.nodes, node] },
    node,
    upstream: replicationUpstream(context, primary),
    stagingDirectory: situation.stagingDirectory,
    settings: [...nodeSettings(situation)],
    hbaRules: [...rulesOfNewcomer(situation)],
    outsideFiles: outsideFiles(situation),
    haModule: haModuleModel(situation),
    directories: [...newcomerDirectories(situation)],
    planned: plannedOn(situation.newcomer, replacedOnNewcomer(situation)),
  };
  return [
    {
      id: `write-node-files/${node.name}`,
      phase: "files",
      title: `Write the files of ${node.name} from the cluster's declaration`,
      preview: preview(context, args),
      on: node.name,
      kind: "write-node-files",
      args,
      preconditions: noPreconditions,
    },
    {
      id: `place-data-directory/${node.name}`,
      phase: "files",
      title: `Put the finished copy in its place, ${node.paths.dataDirectory}`,
      preview: [
        args.stagingDirectory === node.paths.dataDirectory
          ? `${node.paths.dataDirectory} is a mount point: the copy is in its place already`
          : `rename ${args.stagingDirectory} → ${node.paths.dataDirectory}`,
      ],
      on: node.name,
      kind: "place-data-directory",
      args: {
        stagingDirectory: args.stagingDirectory,
        dataDirectory: node.paths.dataDirectory,
      },
      preconditions: noPreconditions,
    },
  ];
}

/** Configuration outside the data directory doesn't come with the copy: it starts from the source's text. */
function outsideFiles({ source, newcomer }: Situation): Args["outsideFiles"] {
  if (source === null) return [];
  const from = source.declared.paths;
  const to = newcomer.declared.paths;
  const pairs = [
    [from.configFile, to.configFile],
    [from.hbaFile, to.hbaFile],
    [from.identFile, to.identFile],
  ] as const;
  return pairs.flatMap(([sourcePath, path]) => {
    const file = fileAt(source.facts, sourcePath);
    const isInside = sourcePath.startsWith(`${from.dataDirectory}/`);
    if (isInside || file?.maskedText == null) return [];
    return [{ path, text: file.maskedText, mode: (file.mode ?? 0o640) & 0o777 }];
  });
}

function preview(context: PlanContext, args: Args): readonly string[] {
  const { situation } = context;
  return [
    ...standbyPreview(context, args),
    ...confPreview(context, args),
    ...hbaPreview(context, args),
    ...args.outsideFiles.map(
      ({ path }) => `${path} starts from the text on ${context.source.declared.name}`,
    ),
    ...haModulePreview(args.haModule, situation),
    ...(args.planned ?? []).flatMap(({ path, hash }) =>
      hash === null
        ? []
        : [`${path} stands there already: it is replaced, an abort brings it back`],
    ),
    ...args.directories.map((directory) => `mkdir -p ${directory}`),
  ];
}

/** How the copied file differs afterwards from the source's. */
function confPreview({ source }: PlanContext, args: Args): readonly string[] {
  const text = textAt(source.facts, source.declared.paths.configFile);
  const path = args.node.paths.configFile;
  if (text === null) {
    return args.settings.map(
      ({ name, value }) => `${path}: ${name} = ${value ?? "(commented out)"}`,
    );
  }
  const edited = args.settings.reduce(
    (conf, { name, value }) =>
      value === null ? commentParameter(conf, name) : setParameter(conf, name, value),
    text,
  );
  return linesOf(unifiedDiff(text, edited, { path }));
}

function hbaPreview({ source }: PlanContext, args: Args): readonly string[] {
  const text = textAt(source.facts, source.declared.paths.hbaFile);
  const path = args.node.paths.hbaFile;
  if (text === null) return args.hbaRules.map((rule) => `${path}: ${printHbaRule(rule)}`);
  const marker = hbaMarker(operationPlaceholder);
  const edited = insertRules(text, args.hbaRules, marker, hbaOptionsOf(source));
  return linesOf(unifiedDiff(text, edited, { path }));
}

function standbyPreview({ situation, primary }: PlanContext, args: Args): readonly string[] {
  const { product } = situation;
  const version = primary.facts?.database.versionNumber ?? 0;
  const style = product.standbyStyle(version);
  const { host, port, user } = args.upstream;
  const conninfo = `host=${host} port=${port} user=${user} application_name=${args.node.name}`;
  const settings = [
    `primary_conninfo = '${conninfo} (password from the secret "replication")'`,
    `primary_slot_name = '${args.node.slot}'`,
    "recovery_target_timeline = 'latest'",
  ];
  if (style === "standby-signal") {
    return ["standby.signal", ...settings.map((line) => `${product.files.autoConf}: ${line}`)];
  }
  const template =
    product.vendor === null || args.node.paths.root === null
      ? []
      : [`${product.vendor.recoveryTemplate(args.node.paths.root)}: the same`];
  return [...settings.map((line) => `recovery.conf: ${line}`), ...template];
}

function haModulePreview(model: HaModuleModel | null, situation: Situation): readonly string[] {
  const { vendor } = situation.product;
  if (model === null || vendor === null) return [];
  const [file] = vendor.haModuleFiles(situation.newcomer.declared.paths, null);
  const values = Object.fromEntries([
    ...model.scalars.map(({ key, value }) => [
      key,
      typeof value === "string" ? value : `(base64 of the secret ${value.secret})`,
    ]),
    ...model.arrays.map(({ key, values: list }) => [key, list]),
  ]);
  const lines = printHaModule(values).trimEnd().split("\n");
  return ["--- /dev/null", `+++ ${file ?? "HAmodule.conf"}`, ...lines.map((line) => `+${line}`)];
}
