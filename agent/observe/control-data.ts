import type { Ports } from "../ports.ts";

export type ControlData = {
  readonly systemIdentifier: string | null;
  readonly timeline: number | null;
};

/** Asks the control file through the product's own program; null where that can't be run or read. */
export async function controlData(
  ports: Pick<Ports, "settings" | "product" | "programs">,
): Promise<ControlData | null> {
  const { binDirectory, dataDirectory } = ports.settings.paths;
  try {
    const { exitCode, stdout } = await ports.programs.run(
      `${binDirectory}/${ports.product.programs.controlData}`,
      [dataDirectory],
      { env: { LANG: "C", LC_ALL: "C" }, timeoutMs: 10_000 },
    );
    return exitCode === 0 ? parseControlData(stdout) : null;
  } catch {
    return null;
  }
}

/** `Database system identifier:           7412…` in English, as under LANG=C. */
export function parseControlData(text: string): ControlData {
  const identifier = /^Database system identifier:\s*(\d+)\s*$/m.exec(text)?.[1] ?? null;
  const timelines = [
    /^Latest checkpoint's TimeLineID:\s*(\d+)\s*$/m,
    // A promotion notes it here first: its checkpoint may take minutes.
    /^Min recovery ending loc's timeline:\s*(\d+)\s*$/m,
  ].map((line) => Number(line.exec(text)?.[1] ?? 0));
  return { systemIdentifier: identifier, timeline: Math.max(...timelines) || null };
}
