import { encodeBase64 } from "#shared/config-files/base64.ts";
import { printConninfo } from "#shared/config-files/conninfo.ts";
import { printHaModule } from "#shared/config-files/ha-module-edit.ts";
import { printRecoveryConf } from "#shared/config-files/recovery-conf.ts";
import { encodeUtf8 } from "#shared/config-files/text-file.ts";
import { promoteTrigger } from "#shared/domain/names.ts";
import type { CommandArgs, HaModuleModel, SecretName } from "#shared/domain/commands.ts";
import { Failure } from "#shared/errors.ts";
import type { Product } from "#shared/products/product.ts";
import type { Secret } from "#shared/secret.ts";
import type { StepContext } from "../ports.ts";

type Args = CommandArgs<"write-node-files">;

/** primary_conninfo's pairs: this node's own name, the password in the product's own writing. */
function conninfoFor(args: Args, product: Product, password: Secret): ReadonlyMap<string, string> {
  const clear = password.reveal();
  return new Map([
    ["host", args.upstream.host],
    ["port", String(args.upstream.port)],
    ["user", args.cluster.database.replicationUser],
    ["password", product.standbyPassword === "base64" ? encodeBase64(clear) : encodeUtf8(clear)],
    ["application_name", args.node.name],
  ]);
}

/** The whole recovery.conf, and the vendor's template of it. */
export function recoveryConfFor(args: Args, product: Product, password: Secret): string {
  return printRecoveryConf({
    primaryConninfo: conninfoFor(args, product, password),
    primarySlotName: args.node.slot,
    // Before version 12 nothing but this file promotes a standby whose agent is dead.
    triggerFile: `${args.node.paths.dataDirectory}/${promoteTrigger}`,
  });
}

/** What a server with a standby.signal reads from its *.auto.conf. */
export function standbySettingsFor(
  args: Args,
  product: Product,
  password: Secret,
): readonly (readonly [string, string])[] {
  return [
    ["primary_conninfo", printConninfo(conninfoFor(args, product, password))],
    ["primary_slot_name", args.node.slot],
    ["recovery_target_timeline", "latest"],
  ];
}

/** HAmodule.conf from the model: secrets come from this host's store and stand there in base64. */
export async function haModuleFor(model: HaModuleModel, context: StepContext): Promise<string> {
  const values: Record<string, string | readonly string[]> = {};
  for (const { key, value } of model.scalars) {
    values[key] =
      typeof value === "string"
        ? encodeUtf8(value)
        : encodeBase64((await demandSecret(value.secret, context)).reveal());
  }
  for (const { key, values: words } of model.arrays) values[key] = words.map(encodeUtf8);
  return printHaModule(values);
}

/** @throws Failure RESOURCE_MISSING, with the command that gives the host its secret */
export async function demandSecret(name: SecretName, context: StepContext): Promise<Secret> {
  const secret = await context.secrets.get(name);
  if (secret !== null) return secret;
  throw new Failure("RESOURCE_MISSING", `this host has no secret ${name}`, {
    hint: `On this host, as the agent's user: castellan-agent secret set ${name}`,
  });
}
