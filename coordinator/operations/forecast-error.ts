import * as z from "zod";
import type { OperationRecord } from "../store/store.ts";

/** What was foretold of the copy, and what came of it. */
export type ForecastError = {
  readonly secondsForecast: number;
  readonly secondsTaken: number;
  readonly bytesForecast: number;
  readonly bytesCopied: number;
  /** Taken over forecast: 1 is right, 2 is twice as long as foretold. */
  readonly factor: number;
};

const Copied = z.looseObject({ copiedBytes: z.number(), elapsedMs: z.number() });

/** null for an operation without a forecast, or whose copy never ended. */
export function forecastError(operation: OperationRecord): ForecastError | null {
  const { forecast, steps } = operation.plan;
  const index = steps.findIndex((step) => step.kind === "base-backup");
  const copied = Copied.safeParse(operation.steps[index]?.evidence);
  if (forecast === null || !copied.success) return null;
  const secondsTaken = copied.data.elapsedMs / 1_000;
  return {
    secondsForecast: forecast.secondsToCopy,
    secondsTaken,
    bytesForecast: forecast.bytesToCopy,
    bytesCopied: copied.data.copiedBytes,
    factor: secondsTaken / Math.max(forecast.secondsToCopy, 0.001),
  };
}
