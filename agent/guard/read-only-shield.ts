import type { GuardStepContext } from "./steps/step.ts";

/** The last line of what ALTER SYSTEM writes, so that it wins; taken out again by its words alone. */
const line =
  "default_transaction_read_only = 'on' # castellan: until everybody names this node as the primary\n";

type ShieldContext = Pick<GuardStepContext, "files" | "product" | "settings">;

/** A server that is started now takes no write of a client that does not insist. */
export async function putShield(context: ShieldContext): Promise<void> {
  const { files } = context;
  const path = shieldedFile(context);
  const file = await files.read(path);
  const text = file?.text ?? "";
  if (text.includes(line)) return;
  const ended = text === "" || text.endsWith("\n") ? text : `${text}\n`;
  await files.replace(path, `${ended}${line}`, 0o600, file?.hash);
}

/** true: it was there. A server that runs takes writes from its next reload on. */
export async function liftShield(context: ShieldContext): Promise<boolean> {
  const { files } = context;
  const path = shieldedFile(context);
  const file = await files.read(path);
  if (file === null || !file.text.includes(line)) return false;
  await files.replace(path, file.text.replace(line, ""), undefined, file.hash);
  return true;
}

function shieldedFile({ settings, product }: ShieldContext): string {
  return `${settings.paths.dataDirectory}/${product.files.autoConf}`;
}
