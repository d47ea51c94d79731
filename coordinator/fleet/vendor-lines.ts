import { parseCron } from "#shared/config-files/cron-lines.ts";
import type { FileFacts } from "#shared/domain/facts.ts";
import type { VendorMachinery } from "#shared/products/product.ts";
import type { VendorLineStatus } from "../api/guard-contract.ts";

const scripts = { "network-rewind": "network_rewind.sh", "restart-cluster": "restartcluster.sh" };

/** Of all cron files together: a line in another one than the vendor's runs as well. */
export function vendorLines(
  files: readonly FileFacts[],
  vendor: VendorMachinery | null,
): readonly VendorLineStatus[] {
  if (vendor === null) return [];
  const cronFiles = files.filter(({ format }) => format === "cron");
  const isUnseen = cronFiles.some((file) => file.path === vendor.cronFile && file.state !== "absent" && file.maskedText === null); // prettier-ignore
  return (["network-rewind", "restart-cluster"] as const).map((job) => {
    const found = cronFiles.flatMap(({ path, maskedText }) =>
      parseCron(maskedText ?? "", path).vendor[job].lines.map((line) => ({ path, ...line })),
    );
    const [first, second] = found;
    const present = first === undefined ? "missing" : first.hashes === 0 ? "active" : "commented";
    return {
      script: scripts[job],
      state: isUnseen ? "unseen" : second === undefined ? present : "twice",
      places: found.map(({ path, line }) => `${path}:${line}`),
    };
  });
}
