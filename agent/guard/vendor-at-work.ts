import type { FileFacts } from "#shared/domain/facts.ts";
import { runningVendorScripts } from "../adapters/vendor-scripts.ts";
import { activeVendorLines } from "../decide/vendor-lines.ts";
import type { Ports } from "../ports.ts";

/** What the vendor has on this host that acts by itself: a line that cron runs, or a script that runs now. */
export function vendorAtWork(
  { product }: Pick<Ports, "product">,
  files: readonly FileFacts[],
): string | null {
  if (product.vendor === null) return null;
  const [line] = activeVendorLines(files);
  if (line !== undefined) return line;
  const [running] = runningVendorScripts();
  return running === undefined ? null : `${running.script} runs (pid ${running.pid})`;
}
