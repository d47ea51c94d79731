import { crashPoint } from "#shared/crash-point.ts";
import type { GuardExecutor } from "./step.ts";

export const dropVip: GuardExecutor<"drop-vip"> = async (_step, { rootHelper }) => {
  const { stdout } = await rootHelper.run("vip-drop");
  crashPoint("guard:vip-dropped");
  return `virtual address: ${stdout.trim()}`;
};
