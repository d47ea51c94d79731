import { haAssignment, parseHaModule } from "#shared/config-files/ha-module.ts";
import { decodeUtf8 } from "#shared/config-files/text-file.ts";
import type { HaModuleModel, SecretName } from "#shared/domain/commands.ts";
import { relocate, relocationBetween } from "../relocate.ts";
import { type Situation, textAt } from "../situation.ts";

/** Passwords in HAmodule.conf and the secret of the new host that each is written from. */
const secretOf: Readonly<Record<string, SecretName>> = { KB_PASS: "database", PCP_PASS: "pcp" };

/**
 * The new node's HAmodule.conf: the like-node's keys with the values that belong to one node made anew. Null where the
 * product has no such file, or nobody can read the like-node's.
 */
export function haModuleModel(situation: Situation): HaModuleModel | null {
  const { product, like, newcomer, declaration } = situation;
  if (product.vendor === null || like === null) return null;
  const [file] = product.vendor.haModuleFiles(like.declared.paths, null);
  const text = file === undefined ? null : textAt(like.facts, file);
  if (text === null) return null;
  const node = newcomer.declared;
  const relocation = relocationBetween(like.declared.paths, node.paths);
  const own: Readonly<Record<string, string>> = {
    KB_LOCALHOST_IP: node.address,
    NODE_NAME: node.name,
    ...(node.nic === null ? {} : { DEV: node.nic }),
    // Its password is the secret `database`, which belongs to this role.
    KB_USER: declaration.database.maintenanceUser,
  };
  const grown: Readonly<Record<string, string>> = {
    KB_ALL_IP: node.address,
    ALL_NODE_NAME: node.name,
  };
  const module = parseHaModule(text, file);
  const scalars: HaModuleModel["scalars"] = [];
  const arrays: HaModuleModel["arrays"] = [];
  for (const key of new Set(module.assignments.map((assignment) => assignment.name))) {
    const value = haAssignment(module, key)?.value;
    if (value?.kind === "array") {
      const values = value.values.map((item) => relocate(decodeUtf8(item), relocation));
      const added = grown[key];
      arrays.push({
        key,
        values: added === undefined || values.includes(added) ? values : [...values, added],
      });
    } else if (value?.kind === "text") {
      const secret = secretOf[key];
      if (secret !== undefined) scalars.push({ key, value: { secret } });
      // What is masked and has no secret of ours can't be written: preflight says so.
      else if (!isMasked(value.text)) {
        scalars.push({ key, value: own[key] ?? relocate(decodeUtf8(value.text), relocation) });
      }
    }
  }
  for (const [key, value] of Object.entries(own)) {
    if (!scalars.some((scalar) => scalar.key === key)) scalars.push({ key, value });
  }
  return { scalars, arrays };
}

export function isMasked(value: string): boolean {
  return value.includes("[secret");
}
